"""Extended attributes of files between an image and the store: which travel, and how file capabilities are shifted.

A file capability set inside a user namespace carries the host id of that namespace's root (version 3); in an image it
has none (version 2). Layers in the store hold version 3 with the steps' root; tar streams hold version 2.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealane_engine.sandbox.ids import IdRange

CAPABILITY = "security.capability"
OPAQUE = "user.overlay.opaque"
PAX_PREFIX = "SCHILY.xattr."

_REVISION_MASK, _REVISION_2, _REVISION_3 = 0xFF00_0000, 0x0200_0000, 0x0300_0000
_SIZE_2, _SIZE_3 = 20, 24


def incoming(name: str, value: bytes, ids: IdRange) -> bytes | None:
    """The value to store for an attribute from an image; None: it is dropped.

    Overlay's own attributes would forge a layer's structure; `trusted.*`, labels of security modules and access lists
    (which hold ids that are not shifted) mean nothing in a sandbox.
    """
    if name == CAPABILITY:
        return _to_v3(value, ids.outer(0))
    if name.startswith("user.") and not name.startswith("user.overlay."):
        return value
    return None


def outgoing(path: str, *, follow_symlinks: bool = False) -> Iterator[tuple[str, bytes]]:
    """The attributes of a file of a layer, as an image has them."""
    for name in sorted(os.listxattr(path, follow_symlinks=follow_symlinks)):
        if name == CAPABILITY:
            value = _to_v2(os.getxattr(path, name, follow_symlinks=follow_symlinks))
            if value is not None:
                yield name, value
        elif name.startswith("user.") and not name.startswith("user.overlay."):
            yield name, os.getxattr(path, name, follow_symlinks=follow_symlinks)


def _to_v3(value: bytes, root: int) -> bytes | None:
    if len(value) not in (_SIZE_2, _SIZE_3):
        return None
    (magic,) = struct.unpack_from("<I", value)
    if magic & _REVISION_MASK not in (_REVISION_2, _REVISION_3):
        return None
    magic = magic & ~_REVISION_MASK | _REVISION_3
    return struct.pack("<I", magic) + value[4:_SIZE_2] + struct.pack("<I", root)


def _to_v2(value: bytes) -> bytes | None:
    if len(value) == _SIZE_2:
        return value
    if len(value) != _SIZE_3:
        return None
    (magic,) = struct.unpack_from("<I", value)
    return struct.pack("<I", magic & ~_REVISION_MASK | _REVISION_2) + value[4:_SIZE_2]
