"""How large a layer may be: a decompression bomb or a million names ends in an error, not in a full disk."""

from __future__ import annotations

from dataclasses import dataclass

from sealane_engine.errors import ImageError


@dataclass(frozen=True, slots=True)
class LayerLimits:
    """Bounds of one layer. Bytes count file contents after decompression."""

    entries: int = 1_000_000
    total_bytes: int = 64 << 30
    depth: int = 256
    path_bytes: int = 4_095


def too_large(what: str, limit: int) -> ImageError:
    return ImageError(f"layer has more than {limit} {what}", reason="layer-too-large")
