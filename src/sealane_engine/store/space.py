"""Room on the disk: what an engine that ends leaves free, so that a store never fills the machine it is on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

    from sealane_engine.store.gc import Pruned
    from sealane_engine.store.store import Store

_SHARE = 10  # both limits are at most a tenth of the disk
_MIN_FREE = 20 * 10**9
_RESERVED = 10 * 10**9


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes: the disk shall have `min_free`, yet the store may always keep `reserved`, whoever else fills the disk."""

    min_free: int
    reserved: int

    @classmethod
    def on(cls, home: Path) -> Self:
        share = shutil.disk_usage(home).total // _SHARE
        return cls(min(share, _MIN_FREE), min(share, _RESERVED))


def make_room(store: Store, room: Room) -> Pruned | None:
    """Prune what was used longest ago when the disk is short; None when there is room, or nothing to give up.

    The store is only walked when the disk is short.
    """
    short = room.min_free - shutil.disk_usage(store.home).free
    if short <= 0:
        return None
    used = store.usage().bytes
    keep = max(room.reserved, used - short)
    return store.prune(keep_bytes=keep) if keep < used else None
