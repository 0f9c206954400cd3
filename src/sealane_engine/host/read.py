"""Reading host files so that what is hashed is what is stored, and what changes meanwhile is noticed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.store.disk import copy_contents

SMALL = 1 << 20
"""Files up to this size are read once, into memory."""

_TICK = 20_000_000
_COARSE_TICK = 2_000_000_000


def signature(facts: os.stat_result) -> str:
    """What a file's stat says about it: when this is equal, so are the bytes (see `settled`)."""
    return f"{facts.st_mode:o} {facts.st_ino} {facts.st_size} {facts.st_mtime_ns} {facts.st_ctime_ns}"


def settled(facts: os.stat_result, since_ns: int) -> bool:
    """Whether a later change would show in the stat: not when the last one was within the clock's tick before
    `since_ns`, for two changes in one tick have the same stamp. File systems that count seconds have a longer tick.
    """
    last = max(facts.st_mtime_ns, facts.st_ctime_ns)
    coarse = facts.st_mtime_ns % 1_000_000_000 == 0 and facts.st_ctime_ns % 1_000_000_000 == 0
    return last + (_COARSE_TICK if coarse else _TICK) < since_ns


class Stored:
    """A host file's content, read: its digest, the stat that belongs to it, and `save`, which writes it once."""

    def __init__(self, sha256: str, facts: os.stat_result, data: bytes | None, copied: str | None) -> None:
        self.sha256 = sha256
        self.facts = facts
        self._data = data
        self._copied = copied

    def save(self, target: str, uid: int, gid: int) -> None:
        """Put it at `target` with mode and time as on the host."""
        facts = self.facts
        if self._copied is not None:
            os.rename(self._copied, target)
            descriptor = os.open(target, os.O_WRONLY | os.O_CLOEXEC)
        else:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if self._data:
                view = memoryview(self._data)
                while view:
                    view = view[os.write(descriptor, view) :]
            os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, stat.S_IMODE(facts.st_mode))
            os.utime(descriptor, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
        finally:
            os.close(descriptor)

    def drop(self) -> None:
        """It isn't needed."""
        if self._copied is not None:
            os.unlink(self._copied)


def read_file(path: str, scratch: str) -> Stored:
    """Read a regular file; a large one is copied to `scratch` first (sharing blocks if the file system can).

    A file that changes meanwhile is read once more, then it's an error.
    """
    for _ in range(2):
        found = _read_once(path, scratch)
        if found is not None:
            return found
    raise InvalidInput(
        f"{path} changes while it is read",
        reason="host-file-changing",
        hint="stop what writes to it, or exclude it",
    )


def _read_once(path: str, scratch: str) -> Stored | None:
    with host_errors(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return None
        with host_errors(path):
            data = _read_all(descriptor, before.st_size) if before.st_size <= SMALL else None
        if data is None:
            digest, size = _copy(descriptor, scratch)
        else:
            digest, size = hashlib.sha256(data).hexdigest(), len(data)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    copied = scratch if data is None else None
    if size == before.st_size and signature(before) == signature(after):
        return Stored(digest, before, data, copied)
    if copied:
        os.unlink(copied)
    return None


def _read_all(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size + 1)
    if len(data) == size:
        return data
    pieces = [data]
    while piece := os.read(descriptor, SMALL):
        pieces.append(piece)
    return b"".join(pieces)


def _copy(descriptor: int, scratch: str) -> tuple[str, int]:
    """Copy first and hash the copy: what is stored is what was hashed, whatever happens to the original."""
    target = os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(target, "rb") as file:
        size = copy_contents(descriptor, target)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest(), size


@contextlib.contextmanager
def host_errors(path: str) -> Iterator[None]:
    """Name the path of a host file that can't be read, and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise NotFound(f"lstat {path}: no such file or directory") from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise InvalidInput(
                f"open {path}: permission denied",
                reason="host-unreadable",
                hint="make it readable for the user that runs the engine, or exclude it",
            ) from error
        if error.errno == errno.ELOOP:
            raise InvalidInput(f"{path} became a link while it was read", reason="host-file-changing") from error
        raise InvalidInput(
            f"read {path}: {error.strerror}", reason="host-unreadable", hint="repair or exclude it"
        ) from error
