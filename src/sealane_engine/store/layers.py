"""Layers on disk: stagings (locked while someone fills them), commit by rename, sweeping of dead ones.

s/NAME/       one staging; its flock is held by the process that fills it
s/NAME/fs     the changes: an overlay's upper directory, or files put there by an editor
s/NAME/work   the overlay's work directory
l/ID          a committed layer: never changed again
t/            what is being deleted: whoever opens the store may empty it
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import secrets
import stat
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sealane_engine.store import locks
from sealane_engine.store.disk import guarded, is_whiteout, remove_tree, xattrs


class Descriptor:
    """An open descriptor that is closed once: a second close could hit one that somebody else has got since."""

    def __init__(self, number: int) -> None:
        self._number: int | None = number
        self._guard = threading.Lock()

    def close(self) -> bool:
        """Whether this call closed it."""
        with self._guard:
            number, self._number = self._number, None
        if number is None:
            return False
        os.close(number)
        return True


@dataclass(frozen=True, slots=True)
class Staging:
    """A directory being filled. `rel` is relative to the store's home. After commit or discard, another discard does
    nothing.
    """

    name: str
    path: Path
    lock: Descriptor
    trash: Path
    root: tuple[int, int, int]
    """Mode and outer ids of `fs` as it was made: the root of the tree that the changes are for."""

    @property
    def rel(self) -> str:
        return f"s/{self.name}"

    @property
    def fs(self) -> Path:
        return self.path / "fs"

    @property
    def work(self) -> Path:
        return self.path / "work"

    def discard(self) -> None:
        """Throw the changes away. After a commit, or a second time, this does nothing."""
        if self.lock.close():
            remove_tree(self.path, self.trash)


def new_id() -> str:
    """Ten characters: short, for the paths of 200 layers must fit one mount option; random, so no process asks another."""
    return base64.b32encode(secrets.token_bytes(7)).decode().lower()[:10]


def stage(home: Path, root: tuple[int, int, int]) -> Staging:
    """A new staging; `root` is the mode and the (outer) owner of `fs`."""
    with guarded(home):
        while True:
            name = new_id()
            path = home / "s" / name
            lock = locks.create_locked(path, directory=True)
            if lock is not None:
                break
        for part in ("fs", "work"):
            directory = f"{path}/{part}"
            os.mkdir(directory, 0o755)
            os.chown(directory, root[1], root[2])
            os.chmod(directory, root[0])
    return Staging(name, path, Descriptor(lock), home / "t", root)


def publish(home: Path, staging: Staging) -> str:
    """Rename a staging's `fs` to a new layer and drop the rest; "" when it holds no change."""
    if _unchanged(staging):
        staging.discard()
        return ""
    layer = new_id()
    with guarded(home):
        os.rename(staging.fs, home / "l" / layer)
    staging.discard()
    return layer


def adopt(home: Path, staging: Staging, layer: str) -> None:
    """Rename a staging's `fs` to a layer that has a name already; one of that name stays as it is."""
    try:
        with guarded(home):
            os.rename(staging.fs, home / "l" / layer)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    finally:
        staging.discard()


def _unchanged(staging: Staging) -> bool:
    fs = os.fspath(staging.fs)
    with os.scandir(fs) as entries:
        if next(entries, None) is not None:
            return False
    facts = os.stat(fs)
    return (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid) == staging.root and not xattrs(fs)


def drop_stubs(fs: Path, stubs: Iterable[str]) -> None:
    """Remove mount targets that the backend made, when they are still empty; no link on the way is followed."""
    for stub in sorted(stubs, key=lambda path: path.count("/"), reverse=True):
        parts = [part for part in stub.split("/") if part not in ("", ".")]
        if not parts or ".." in parts:
            continue
        with contextlib.suppress(OSError):
            _drop_stub(fs, parts)


def _drop_stub(fs: Path, parts: list[str]) -> None:
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    here = os.open(fs, flags)
    try:
        for part in parts[:-1]:
            below = os.open(part, flags, dir_fd=here)
            os.close(here)
            here = below
        facts = os.stat(parts[-1], dir_fd=here, follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            os.rmdir(parts[-1], dir_fd=here)
        elif stat.S_ISREG(facts.st_mode) and facts.st_size == 0 and not is_whiteout(facts):
            os.unlink(parts[-1], dir_fd=here)
    finally:
        os.close(here)


def sweep(home: Path) -> int:
    """Move stagings of dead processes to the trash; answers how many."""
    count = 0
    for path in list((home / "s").iterdir()):
        lock = locks.try_lock(path)
        if lock is None:
            continue
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, home / "t" / f"{path.name}-{new_id()}")
            count += 1
        os.close(lock)
    return count


def empty_trash(home: Path) -> None:
    """Delete what lies in t/; several processes may do it at once."""
    trash = home / "t"
    for path in list(trash.iterdir()):
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        else:
            remove_tree(path, trash)
