"""Unpack an image's layers into the store, one on the other; a stack of layers is unpacked once, whoever brought it.

Bytes are checked twice while they pass: the blob's size and digest, and what it unpacks to (the `diff_id` of the
image's configuration). Nothing of a layer that fails a check stays in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sealane_engine.errors import ImageError
from sealane_engine.oci import apply, blobs, chains, streams
from sealane_engine.oci.limits import LayerLimits
from sealane_engine.store.disk import guarded

if TYPE_CHECKING:
    from sealane_engine.oci.descriptor import Descriptor
    from sealane_engine.oci.lower import Lower
    from sealane_engine.store.layers import Staging
    from sealane_engine.store.store import Store
    from sealane_engine.store.tree import Tree

Open = Callable[[], AbstractContextManager[BinaryIO]]
_HEADERS_BYTES = 4 << 30
MAX_LAYERS = 1_000


def diff_ids(config: Mapping[str, Any], layers: int, name: str) -> tuple[str, ...]:
    """The diff ids of an image configuration, one for each layer of its manifest."""
    rootfs = config.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ImageError(f"{name}: its configuration names no layers", reason="bad-config")
    if len(found) != layers or layers > MAX_LAYERS:
        raise ImageError(
            f"{name}: its manifest has {layers} layers and its configuration {len(found)}", reason="bad-manifest"
        )
    return tuple(found)


def unpack_layer(
    store: Store, parent: Tree, ids: Sequence[str], descriptor: Descriptor, open_blob: Open, name: str
) -> str:
    """Unpack the blob of the last of `ids` on `parent`; answers the store's layer. Slow: for a thread."""
    staging = store.staging(parent)
    try:
        _check(unpack_blob(store, staging, parent, descriptor, open_blob, name), ids[-1], descriptor, name)
        layer = store.commit(staging)
    except BaseException:
        staging.discard()
        raise
    chains.remember(store, ids, layer)
    return layer


def unpack_blob(
    store: Store, staging: Staging, parent: Tree, descriptor: Descriptor, open_blob: Open, name: str
) -> str:
    """Unpack a layer's blob, checked while it passes, into a staging on `parent`; answers what it unpacks to (its diff id)."""
    limits = LayerLimits()
    with guarded(store.home), ExitStack() as stack:
        source = stack.enter_context(open_blob())
        verified = streams.Verified(source, descriptor, name)
        plain = streams.decompress(cast("BinaryIO", verified))
        stack.enter_context(closing(plain))
        hashed = streams.Hashed(cast("BinaryIO", plain), limits.total_bytes + _HEADERS_BYTES)
        ahead = stack.enter_context(closing(streams.Ahead(hashed)))
        apply.apply(
            cast("BinaryIO", ahead), staging.fs, store.ids,
            lower=cast("Lower", store.view(parent)), limits=limits,
        )  # fmt: skip
        while verified.read(streams.CHUNK):  # what comes after the stream's end is part of the blob
            pass
    return hashed.digest


def keep_blob(store: Store, layer: str, descriptor: Descriptor, diff_id: str) -> None:
    """Remember that `layer` came from a blob that is in the store: an image that has the layer carries the same bytes."""
    if layer:
        blobs.remember(store, layer, blobs.LayerBlob(descriptor, diff_id, 0), blobs.OWN)


def _check(digest: str, diff_id: str, descriptor: Descriptor, name: str) -> None:
    if digest != diff_id:
        raise ImageError(
            f"{name}: layer {descriptor.digest} unpacks to {digest}, its configuration says {diff_id}",
            reason="diff-id-mismatch",
        )
