"""Sealane: one pipeline in Python, on any engine, in any CI."""

__version__ = "0.1.0"
