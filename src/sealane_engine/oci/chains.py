"""Stacks of layers that the store has: whoever brought one (a registry, an archive, an export), it is there for all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealane_engine.store.store import Store


def chain(ids: Sequence[str]) -> str:
    """What names a stack of layers by their diff ids: OCI's chain id."""
    result = ids[0]
    for diff_id in ids[1:]:
        result = f"sha256:{hashlib.sha256(f'{result} {diff_id}'.encode()).hexdigest()}"
    return result


def known(store: Store, ids: Sequence[str]) -> str | None:
    """The store's layer for the last of `ids` on top of the others; "" if it changes nothing, None if it isn't there."""
    found = store.result(_key(ids))
    return None if found is None else str(found.value["layer"])


def remember(store: Store, ids: Sequence[str], layer: str) -> None:
    """Record the layer for the last of `ids` on top of the others."""
    inputs = {"diff_ids": list(ids)}
    store.put_result(_key(ids), "image-layer", {"layer": layer}, layers=(layer,) if layer else (), inputs=inputs)


def _key(ids: Sequence[str]) -> str:
    return f"image-layer:{chain(ids)}"
