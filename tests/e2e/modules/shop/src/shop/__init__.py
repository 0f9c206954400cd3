"""Hears whatever quacks."""

from .main import Shop as Shop
