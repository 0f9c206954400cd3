"""Trees that come from outside: written to a folder of the store by whoever knows how, then taken in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sealane_engine.host.scan import take_now

if TYPE_CHECKING:
    from sealane_engine.graph.operation import Filled
    from sealane_engine.store.store import Store
    from sealane_engine.store.tree import Tree


async def fill_tree(store: Store, operation: Filled) -> Tree:
    """Let an operation write its files, and take them in."""
    staging = await asyncio.to_thread(store.staging)
    try:
        folder = staging.path / "filled"
        await operation.fill(folder)
        return await asyncio.to_thread(take_now, store, folder)
    finally:
        await asyncio.to_thread(staging.discard)
