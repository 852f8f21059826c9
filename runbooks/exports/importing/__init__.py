"""Entries of other tools, read from a file: which column is what, when it happened, and what is there already."""
