"""Images of registries: resolved to a manifest for a platform, layers fetched, verified and unpacked into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealane_engine.events import Events
    from sealane_engine.images.image import Image
    from sealane_engine.oci.reference import Reference
    from sealane_engine.store.store import Store
    from sealane_engine.store.tree import Tree


class Unreachable(Exception):
    """A registry could not be asked: its name, connection or TLS failed."""


class Remote:
    """Asks registries."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store, self._events = store, events

    async def resolve(self, ref: Reference, platform: str) -> Image:
        raise Unreachable(f"{ref.host} can't be reached")

    async def unpack(self, image: Image) -> Tree:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open yet."""
