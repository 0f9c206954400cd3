"""Reads the files that findings lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from dagger import DaggerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import dagger

_MOST_FILES = 1000
_AT_ONCE = 16


async def read(source: dagger.Directory, names: Iterable[str]) -> dict[str, str]:
    """The text of each file that can be read. A file beyond the first thousand is not asked for."""
    texts: dict[str, str] = {}
    limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def one(name: str) -> None:
        async with limiter:
            try:
                texts[name] = await source.file(name).contents()
            except DaggerError:
                return  # binary, too large, or a name that a tool made up: the finding's message stands in

    async with anyio.create_task_group() as group:
        for name in sorted(set(names))[:_MOST_FILES]:
            group.start_soon(one, name)
    return texts
