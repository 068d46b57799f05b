"""LDA_collaboration: see model.py."""
