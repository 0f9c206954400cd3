"""Which recipe stands in for a reference."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sealane_engine.images.catalog import debian, node, postgres, python, redis
from sealane_engine.oci import reference

if TYPE_CHECKING:
    from sealane_engine.images.catalog.recipe import Recipe
    from sealane_engine.oci.reference import Reference

RECIPES: tuple[Recipe, ...] = (
    *debian.RECIPES,
    *python.RECIPES,
    *postgres.RECIPES,
    *redis.RECIPES,
    *node.RECIPES,
)


@cache
def _by_name() -> dict[str, Recipe]:
    return {reference.parse(name).name: recipe for recipe in RECIPES for name in recipe.names}


def find(ref: Reference) -> Recipe | None:
    """The recipe for a reference's name; what it builds is not what a digest in the reference means."""
    return _by_name().get(ref.name)


def names() -> list[str]:
    """Every reference that the catalog can stand in for, as a user writes it."""
    return sorted(name for recipe in RECIPES for name in recipe.names)
