"""Compares versions as their ecosystem does: PyPI by PEP 440, npm by semantic versioning."""

from __future__ import annotations

import re
from typing import Any

from packaging.version import InvalidVersion, Version

_SEMVER = re.compile(r"^[v=\s]*(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$")


class NotAVersionError(ValueError):
    """A text that has no place in its ecosystem's order."""


def key(ecosystem: str, version: str) -> Any:
    """What sorts as the version does. Keys of one ecosystem alone can be compared."""
    if ecosystem == "PyPI":
        try:
            return Version(version)
        except InvalidVersion:
            raise NotAVersionError(version) from None
    match = _SEMVER.match(version)
    if match is None:
        raise NotAVersionError(version)
    numbers = tuple(int(part or 0) for part in match.groups()[:3])
    # A pre-release comes before its release; numbers in it before words.
    return (*numbers, (0, tuple(map(_identifier, match[4].split(".")))) if match[4] else (1,))


def _identifier(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdigit() else (1, 0, text)
