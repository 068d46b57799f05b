"""popularity: see model.py."""
