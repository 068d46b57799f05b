"""UMCF: see model.py."""
