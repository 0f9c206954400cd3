"""Blobs: bytes under the digest of their content, in b/sha256/AB/…; written under another name and renamed."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO

from sealane_engine.errors import InvalidInput, NotFound, StoreError
from sealane_engine.store.layers import new_id

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def blob_path(home: Path, digest: str) -> Path:
    """Where a blob lies, whether or not it's there. A digest of another shape is refused."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidInput(f"{digest!r} is no sha256 digest", reason="bad-digest", hint="give sha256:<64 hex digits>")
    name = digest[7:]
    return home / "b" / "sha256" / name[:2] / name


def write(temporary: Path, data: bytes | BinaryIO) -> tuple[str, Path]:
    """Put bytes, or what a file gives until its end, into a new file; answers its digest and the file."""
    hasher = hashlib.sha256()
    with temporary.open("xb") as out:
        if isinstance(data, bytes):
            hasher.update(data)
            out.write(data)
        else:
            while piece := data.read(1 << 20):
                hasher.update(piece)
                out.write(piece)
    return f"sha256:{hasher.hexdigest()}", temporary


def read(home: Path, digest: str) -> bytes:
    """A blob's bytes, checked: one that doesn't match its digest is moved away and is an error."""
    path = blob_path(home, digest)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"blob {digest} is not in the store", reason="blob-missing") from None
    if hashlib.sha256(data).hexdigest() != digest[7:]:
        quarantine(home, path, digest)
    return data


def verify(home: Path, digest: str) -> None:
    """Read a blob to its end and compare; a wrong one is moved away and is an error."""
    path = blob_path(home, digest)
    try:
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise NotFound(f"blob {digest} is not in the store", reason="blob-missing") from None
    if actual != digest[7:]:
        quarantine(home, path, digest)


def quarantine(home: Path, path: Path, digest: str) -> None:
    os.rename(path, home / "t" / f"bad-{new_id()}")
    raise StoreError(
        f"blob {digest} doesn't have the bytes it was stored with (a damaged disk?)",
        reason="blob-corrupt",
        hint="it was removed; call again to fetch or build it anew",
    )
