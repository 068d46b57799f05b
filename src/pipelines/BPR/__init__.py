"""BPR: see model.py."""
