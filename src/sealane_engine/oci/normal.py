"""What two builds of one source would differ in, and what an image carries instead.

An image's own layers (those above its base's) are normalised when they are written as blobs. The store's layers stay as
they are, and so does what steps see. Every time becomes the image's epoch (SOURCE_DATE_EPOCH): to set back only later
ones would not do, for a step that is answered from the cache ran before the commit that is built. Then there is what
tools write dates into: DROPPED is left out, SHADOW and Python's compiled files have the epoch in place of their dates.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sealane_engine.store.store import Store

VERSION = 1
"""Raised when what follows gives other bytes."""

DEFAULT_EPOCH = 315_532_800
"""1980-01-01, when nobody gives another: zip files, and so Python's packages, know no earlier time."""

DROPPED = (
    "var/log/apt/*",  # apt: what was installed when
    "var/log/dpkg.log",
    "var/log/alternatives.log",
    "var/log/bootstrap.log",
    "var/cache/apt/pkgcache.bin",  # apt: its index of the indexes, with their files' times
    "var/cache/apt/srcpkgcache.bin",
    "var/cache/debconf/*-old",  # debconf and dpkg: the state before
    "var/lib/dpkg/*-old",
    "var/cache/ldconfig/aux-cache",  # ldconfig: times and inode numbers of libraries
    "*/.cache/pip/*",  # pip: answers of the index, with their dates
    "*/.npm/_logs/*",  # npm: a log of each call, named by its time
)
"""Patterns of files, relative to the root (`*` takes slashes too). Only an image's own layers lose them."""

SHADOW = ("etc/shadow", "etc/shadow-")
"""The third field of each line is the day of the last change of the password."""

_DAY = 86_400
_PYC = re.compile(r"(?:(?P<cached>.*?)__pycache__/(?P<name>[^/.]+)\.[^/]+|(?P<plain>[^/].*))\.pyc")
_DROPPED = re.compile("|".join(fnmatch.translate(pattern) for pattern in DROPPED))


@dataclass(frozen=True, slots=True)
class Normal:
    """For one layer: the epoch, and the folders of the image's own layers from this one down."""

    epoch: int
    own: tuple[Path, ...]

    def drops(self, name: str) -> bool:
        return _DROPPED.match(name) is not None

    def content(self, name: str, path: str) -> bytes | None:
        """What a file's content becomes; None when it stays."""
        if name in SHADOW:
            with open(path, "rb") as file:
                return _without_days(file.read(), self.epoch // _DAY)
        if name.endswith(".pyc") and (source := _source(name)) and self._has(source):
            with open(path, "rb") as file:
                return _with_source_time(file.read(), self.epoch)
        return None

    def _has(self, source: str) -> bool:
        """Whether the source of a compiled file is in a layer whose times are set: else they stay what they say."""
        return any((layer / source).is_file() and not (layer / source).is_symlink() for layer in self.own)


@dataclass(frozen=True)
class Own:
    """How one image's layers are written: those of its base as they are, its own with `epoch` (None: as they are)."""

    store: Store
    layers: Sequence[str]
    base: frozenset[str]
    epoch: int | None

    @cached_property
    def _own(self) -> list[str]:
        return [layer for layer in self.layers if layer not in self.base]

    def of(self, layer: str) -> Normal | None:
        if self.epoch is None or layer in self.base:
            return None
        below = self._own[: self._own.index(layer) + 1]
        return Normal(self.epoch, tuple(self.store.layer_path(each) for each in below))


def name_of(normal: Normal | None) -> str:
    """Tells apart blobs of one layer."""
    if normal is None:
        return ""
    own = hashlib.sha256(" ".join(layer.name for layer in normal.own).encode()).hexdigest()
    return f":{VERSION}:{normal.epoch}:{own}"


def _source(name: str) -> str:
    """Where the source of a compiled file would be."""
    found = _PYC.fullmatch(name)
    if found is None:
        return ""
    return f"{found['plain']}.py" if found["plain"] else f"{found['cached']}{found['name']}.py"


def _with_source_time(data: bytes, epoch: int) -> bytes | None:
    """Python compares this time with the source's (PEP 552: without flags, the third word is the time)."""
    if len(data) < 16 or data[4:8] != bytes(4):
        return None
    return data[:8] + struct.pack("<I", epoch & 0xFFFF_FFFF) + data[12:]


def _without_days(data: bytes, day: int) -> bytes:
    lines = []
    for line in data.split(b"\n"):
        fields = line.split(b":")
        if len(fields) > 2 and fields[2].isdigit() and int(fields[2]):  # 0 asks for a new password at the next login
            fields[2] = str(day).encode()
        lines.append(b":".join(fields))
    return b"\n".join(lines)
