"""SVD: see model.py."""
