"""node."""

from sealane_engine.images.catalog.recipe import Recipe

RECIPES: tuple[Recipe, ...] = ()
