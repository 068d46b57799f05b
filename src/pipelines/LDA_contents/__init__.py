"""LDA_contents: see model.py."""
