"""MovieLens 10M."""
