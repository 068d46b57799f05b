"""association: see model.py."""
