"""IMF: see model.py."""
