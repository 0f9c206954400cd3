"""Sealane: one pipeline in Python, on any engine, in any CI."""
