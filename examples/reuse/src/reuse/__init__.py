"""A pipeline of its own that reuses Sealane's stages."""

from .main import Reuse as Reuse
