"""Configuration and manifest of an image whose layers are in the store: their bytes, and so their digests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sealane_engine.oci.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEDIA_CONFIG = "application/vnd.oci.image.config.v1+json"
MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_INDEX = "application/vnd.oci.image.index.v1+json"
MEDIA_LAYER = "application/vnd.oci.image.layer.v1.tar"
MEDIA_LAYER_GZIP = f"{MEDIA_LAYER}+gzip"
MEDIA_LAYER_ZSTD = f"{MEDIA_LAYER}+zstd"

DOCKER = {
    MEDIA_CONFIG: "application/vnd.docker.container.image.v1+json",
    MEDIA_MANIFEST: "application/vnd.docker.distribution.manifest.v2+json",
    MEDIA_INDEX: "application/vnd.docker.distribution.manifest.list.v2+json",
    MEDIA_LAYER: "application/vnd.docker.image.rootfs.diff.tar",
    MEDIA_LAYER_GZIP: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    MEDIA_LAYER_ZSTD: "application/vnd.docker.image.rootfs.diff.tar.zstd",
}
"""What Docker called these before there was OCI."""

MANIFESTS = frozenset({MEDIA_MANIFEST, DOCKER[MEDIA_MANIFEST]})
INDEXES = frozenset({MEDIA_INDEX, DOCKER[MEDIA_INDEX]})


def canonical(value: Any) -> bytes:
    """JSON as it is hashed and written: keys sorted, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def describe(media_type: str, data: bytes) -> Descriptor:
    return Descriptor(media_type, digest(data), len(data))


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def image_config(
    config: Mapping[str, Any], *, architecture: str, created: float, diff_ids: Sequence[str], history: Sequence[str]
) -> dict[str, Any]:
    """A whole OCI image configuration; `history` has a line for each layer."""
    when = timestamp(created)
    return {
        "architecture": architecture,
        "os": "linux",
        "created": when,
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": [{"created": when, "created_by": line} for line in history],
    }


def manifest(config: Descriptor, layers: Sequence[Descriptor], media_type: str = MEDIA_MANIFEST) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }


def index(manifests: Sequence[Mapping[str, Any]], media_type: str = MEDIA_INDEX) -> dict[str, Any]:
    """An index of manifests: their descriptors, with platforms and annotations where they have them."""
    return {"schemaVersion": 2, "mediaType": media_type, "manifests": [dict(each) for each in manifests]}


def platform_of(platform: str) -> dict[str, str]:
    """`linux/arm/v7` as an index has it."""
    names = ("os", "architecture", "variant")
    return dict(zip(names, platform.split("/"), strict=False))


def retyped(descriptor: Descriptor, *, docker: bool) -> Descriptor:
    """A descriptor with the media type of the wanted family: a layer may come from an image of the other."""
    if docker:
        return replace(descriptor, media_type=DOCKER.get(descriptor.media_type, descriptor.media_type))
    families = {old: new for new, old in DOCKER.items()}
    return replace(descriptor, media_type=families.get(descriptor.media_type, descriptor.media_type))
