"""Layers of the store as blobs of an image: written once, then kept beside the layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from sealane_engine.errors import Unsupported
from sealane_engine.oci import diff, manifest
from sealane_engine.oci.descriptor import Descriptor
from sealane_engine.oci.normal import name_of
from sealane_engine.oci.streams import gzip, zstandard

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealane_engine.oci.normal import Normal
    from sealane_engine.oci.streams import Compressed
    from sealane_engine.store.store import Store

OWN = "own"
"""Marks the blob that a layer came from."""

GZIP_LEVEL, _ZSTD_LEVEL = 1, 3
"""Fast: most images of a pipeline are read once, nearby."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How a layer's bytes are written."""

    media_type: str
    sink: Callable[[BinaryIO, int], Compressed] | None = None
    level: int = 0


_FORMS = {
    "Gzip": _Form(manifest.MEDIA_LAYER_GZIP, gzip, GZIP_LEVEL),
    "Zstd": _Form(manifest.MEDIA_LAYER_ZSTD, zstandard, _ZSTD_LEVEL),
    "Uncompressed": _Form(manifest.MEDIA_LAYER),
}


@dataclass(frozen=True, slots=True)
class LayerBlob:
    """A layer as an image carries it. `newest` is the latest modification time in it, in seconds."""

    descriptor: Descriptor
    diff_id: str
    newest: int


def layer_blob(store: Store, layer: str, compression: str = "", normal: Normal | None = None) -> LayerBlob:
    """The blob of a layer: the one it came from, or made now. `compression` is "", "Gzip", "Zstd" or "Uncompressed" ("":
    any).

    `normal` says what is normalised in one that is made.
    """
    if compression and compression not in _FORMS:
        raise Unsupported(
            f"layer compression {compression} is not supported by this engine", hint=f"use {', '.join(_FORMS)}"
        )
    found = store.result(_key(OWN, layer)) if not compression else None
    compression = compression or "Gzip"
    kind = f"{compression}{name_of(normal)}"
    found = found or store.result(_key(kind, layer))
    if found is None:
        remember(store, layer, _write(store, layer, compression, normal), kind)
        found = store.result(_key(kind, layer))
        assert found is not None
    value = found.value
    descriptor = Descriptor(value["mediaType"], value["digest"], value["size"])
    return LayerBlob(descriptor, value["diff_id"], value["newest"])


def _key(kind: str, layer: str) -> str:
    return f"layer-blob:{kind}:{layer}"


def remember(store: Store, layer: str, blob: LayerBlob, kind: str) -> None:
    """Keep a blob as the one of a layer."""
    value = {**blob.descriptor.to_json(), "diff_id": blob.diff_id, "newest": blob.newest}
    store.put_result(
        _key(kind, layer), "layer-blob", value,
        layers=(layer,), blobs=(blob.descriptor.digest,), inputs={"layer": layer, "kind": kind},
    )  # fmt: skip


def _write(store: Store, layer: str, compression: str, normal: Normal | None) -> LayerBlob:
    staging = store.staging()
    try:
        file = staging.path / "blob"
        with file.open("wb") as out:
            packed = diff.Digester(out)
            form = _FORMS[compression]
            squeeze = form.sink(cast("BinaryIO", packed), form.level) if form.sink else None
            plain = diff.Digester(cast("BinaryIO", squeeze or packed))
            newest = diff.write(store.layer_path(layer), cast("BinaryIO", plain), store.ids, normal)
            if squeeze is not None:
                squeeze.finish()
        with file.open("rb") as source:
            digest = store.put_blob(source)
        assert digest == packed.digest
        return LayerBlob(Descriptor(form.media_type, digest, packed.size), plain.digest, newest)
    finally:
        staging.discard()
