"""Has ducks, and knows nothing of who hears them."""

from .main import Store as Store
