"""Helpers that stages put into containers and run there. They use the standard library of any Python 3."""
