"""A blob as a manifest names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sealane_engine.errors import ImageError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """`size` in bytes."""

    media_type: str
    digest: str
    size: int

    def to_json(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def parse(value: Any) -> Descriptor:
    """Read a descriptor of a manifest or index. Raises ImageError (`bad-manifest`)."""
    if isinstance(value, Mapping):
        media_type, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
        if (
            isinstance(media_type, str)
            and isinstance(digest, str)
            and _DIGEST.fullmatch(digest)
            and isinstance(size, int)
            and size >= 0
        ):
            return Descriptor(media_type, digest, size)
    raise ImageError(
        f"a manifest names a blob without media type, sha256 digest or size: {value!r:.200}", reason="bad-manifest"
    )
