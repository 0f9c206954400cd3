"""Greets whom you name.

A module as somebody else would write it: it knows Dagger's Python SDK and nothing of the engine.
"""

from .main import Greeter as Greeter
