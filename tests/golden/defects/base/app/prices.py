"""Prices in cents."""

from __future__ import annotations

from collections.abc import Iterable


def total(prices: Iterable[int], discount: int = 0) -> int:
    """The sum, less a discount in percent."""
    return sum(prices) * (100 - discount) // 100


def shown(cents: int) -> str:
    """A price as people read it."""
    return f"{cents // 100}.{cents % 100:02d}"
