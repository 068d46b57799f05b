"""MF: see model.py."""
