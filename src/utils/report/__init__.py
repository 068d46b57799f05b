"""The report: what comparable runs achieved, as one HTML file that needs nothing else."""
