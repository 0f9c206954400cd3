"""Configuration and manifest of an image whose layers are in the store: their bytes, and so their digests."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sealane_engine.images.image import Descriptor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEDIA_CONFIG = "application/vnd.oci.image.config.v1+json"
MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_INDEX = "application/vnd.oci.image.index.v1+json"
MEDIA_LAYER = "application/vnd.oci.image.layer.v1.tar"


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


def manifest(config: Descriptor, layers: Sequence[Descriptor]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MEDIA_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
