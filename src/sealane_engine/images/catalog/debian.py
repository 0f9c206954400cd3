"""debian: a suite's minimal base as it comes, without manual pages and documentation."""

from __future__ import annotations

from sealane_engine.images.catalog.recipe import Recipe

_VERSIONS = {"bullseye": "11", "bookworm": "12", "trixie": "13"}
_ALIASES = {"trixie": ("stable-slim", "stable", "latest")}  # since August 2025, until forky is released


def _debian(suite: str) -> Recipe:
    version = _VERSIONS[suite]
    tags = (f"{suite}-slim", suite, f"{version}-slim", version, *_ALIASES.get(suite, ()))
    return Recipe(name=f"debian:{suite}-slim", suite=suite, names=tuple(f"debian:{tag}" for tag in tags))


RECIPES = tuple(_debian(suite) for suite in ("bookworm", "bullseye", "trixie"))
