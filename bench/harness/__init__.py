"""What the benchmarks have in common, and the benchmarks themselves."""
