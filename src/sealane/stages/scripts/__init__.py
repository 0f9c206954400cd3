"""Helpers that stages put into containers and run there: the standard library of any Python 3, and in audit packaging."""
