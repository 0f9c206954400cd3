"""Dockerfiles: parsed to instructions (data), planned as stages, carried out by a builder that the engine provides."""
