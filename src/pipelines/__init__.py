"""The recommenders, each in a folder of its own; they do not import each other."""
