"""Takes the ducks of one module to another."""

from .main import Farm as Farm
