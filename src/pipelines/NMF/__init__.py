"""NMF: see model.py."""
