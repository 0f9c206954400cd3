"""A garden that has another module look after it."""

from .main import Garden as Garden
