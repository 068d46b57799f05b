"""random: see model.py."""
