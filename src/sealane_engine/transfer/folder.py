"""The folder of an export: one index, and beside it the files that it names by their sha256.

FOLDER/index.json    what there is (see `contents`), written last
FOLDER/layers/HEX    a layer as a gzipped tar stream in OCI's form
FOLDER/blobs/HEX     a blob

Nothing in it is believed: sizes and digests are checked while a file is read, names before they are used. The index
holds no times of use, so that the same results give the same index, and its digest can be a cache's key.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sealane_engine.errors import ImageError, InvalidInput
from sealane_engine.transfer.contents import FORMAT, Contents

INDEX = "index.json"
LAYERS, BLOBS = "layers", "blobs"
MAX_INDEX_BYTES = 64 << 20
_OURS = re.compile(r"[0-9a-f]{64}(\.part)?|[a-z2-7]{10}\.part")
_COLD = "It is as if there were no cache; a run that may write it makes it anew."


class CacheFault(InvalidInput):
    """An exported cache can't be used; its `reason` says why. Nothing of it is in the store's results."""

    reason = "cache-unreadable"


def fault(message: str, reason: str) -> CacheFault:
    return CacheFault(message, reason=reason, hint=_COLD)


@contextlib.contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold an export's folder: who reads it waits for who writes it, and the other way round."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read(folder: Path) -> Contents | None:
    """What a folder holds; None where there is no index. Raises CacheFault."""
    try:
        with open_file(folder / INDEX) as file:
            data = file.read(MAX_INDEX_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(data) > MAX_INDEX_BYTES:
        raise fault(f"{folder / INDEX} has more than {MAX_INDEX_BYTES} bytes", "cache-index")
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise fault(f"{folder / INDEX} is no JSON: {error}", "cache-index") from error
    found = whole.get("format") if isinstance(whole, dict) else None
    if found != FORMAT:
        raise fault(f"{folder} has the format {found!r}, and this engine reads {FORMAT}", "cache-format")
    try:
        return Contents.from_json(whole)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError, ImageError) as error:
        raise fault(f"{folder / INDEX} is not as an export writes it: {error!r}", "cache-index") from error


def open_file(path: Path) -> BinaryIO:
    """A plain file of the folder; no link is followed, and nothing else is waited for. Raises CacheFault."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise fault(f"{path} can't be read: {error.strerror}", "cache-file") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise fault(f"{path} is no plain file", "cache-file")
    return open(descriptor, "rb")


def clear(folder: Path, keep: frozenset[tuple[str, str]] = frozenset(), *, index: bool = True) -> None:
    """Delete an export's files but those to `keep` (kind, name); what is none of ours in the folder stays."""
    if index:
        with contextlib.suppress(OSError):
            (folder / INDEX).unlink()
    for kind in (LAYERS, BLOBS):
        place = folder / kind
        if place.is_symlink() or not place.is_dir():
            continue
        for path in list(place.iterdir()):
            if _OURS.fullmatch(path.name) and (kind, path.name) not in keep:
                with contextlib.suppress(OSError):
                    path.unlink()
