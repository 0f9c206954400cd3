"""Writing a tree's directory or file to the host: merged or wiped, modes and links kept, owned by whoever runs us.

Everything is done through directory descriptors that are opened without following links, so that a link below the
destination can't lead the export out of it: where the tree has a directory, a link is replaced by one. Files appear
under their name when they are complete. Set-user-id and set-group-id bits, devices and sockets are left out: they would
mean something else on the host.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.errors import DiskFull, HostError, InvalidInput, NotFound
from sealane_engine.store.disk import copy_contents

if TYPE_CHECKING:
    from sealane_engine.store.view import Entry, TreeView

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o1777


def export_directory(view: TreeView, path: str, dest: Path, *, wipe: bool) -> None:
    """Write what the directory `path` of the tree holds into `dest`, which is made if missing.

    `wipe` removes what else is there; without it, other files stay and same names are replaced.
    """
    start = view.stat(path)
    if start is None:
        raise NotFound(f"stat {path}: no such file or directory")
    if start.kind != "dir":
        raise InvalidInput(f"open {path}: not a directory", reason="not-a-directory")
    dest = dest.absolute()
    if wipe and dest.resolve() == Path("/"):
        raise InvalidInput("refusing to wipe /", reason="wipe-root", hint="export to a directory of its own")
    with _host_errors(dest):
        dest.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(dest, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _Export(view, wipe=wipe).fill(start.path, descriptor)
        finally:
            os.close(descriptor)


def export_file(view: TreeView, path: str, dest: Path, *, allow_parent_dir: bool) -> Path:
    """Write one file; answers where. `dest` may be a directory only with `allow_parent_dir`: the file goes into it."""
    entry = view.stat(path)
    if entry is None:
        raise NotFound(f"stat {path}: no such file or directory")
    if entry.kind != "file":
        raise InvalidInput(f"path {path} is a {entry.kind}, not a file", reason="not-a-file")
    dest = dest.absolute()
    if dest.is_dir():
        if not allow_parent_dir:
            raise InvalidInput(
                f'destination "{dest}" is a directory; must be a file path unless allowParentDirPath is set',
                reason="is-a-directory",
            )
        dest /= path.rstrip("/").rpartition("/")[2]
    with _host_errors(dest):
        dest.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(dest.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            write_file(entry, folder, dest.name, f".{secrets.token_hex(6)}.part")
        finally:
            os.close(folder)
    return dest


class _Export:
    """One export. Open descriptors are as many as the tree is deep."""

    def __init__(self, view: TreeView, *, wipe: bool) -> None:
        self._view = view
        self._wipe = wipe
        self._prefix = f".{secrets.token_hex(4)}-"
        self._count = 0

    def fill(self, path: str, descriptor: int) -> None:
        """Fill the open directory with what the tree has at `path`."""
        root = _Open(None, os.dup(descriptor), [])
        stack = [root]
        try:
            root.todo = self._one(path, root.descriptor)
            while stack:
                here = stack[-1]
                if not here.todo:
                    here.leave()
                    stack.pop()
                    continue
                entry = here.todo.pop()
                child = _Open(entry, _open_directory(here.descriptor, entry.name), [])
                stack.append(child)
                child.todo = self._one(entry.path, child.descriptor)
        finally:
            for each in stack:
                os.close(each.descriptor)

    def _one(self, here: str, folder: int) -> list[Entry]:
        """Everything of one directory but its subdirectories, which are answered."""
        there = _kinds(folder)
        below: list[Entry] = []
        names = set()
        for entry in self._view.scandir(here):
            name = entry.name
            names.add(name)
            was = there.get(name)
            if (was == "dir") != (entry.kind == "dir") and was is not None:
                _remove(folder, name)
                was = None
            if entry.kind == "dir":
                below.append(entry)
                if was is None:
                    os.mkdir(name, 0o700, dir_fd=folder)
            elif entry.kind == "file":
                if was is None or not _has_already(entry, folder, name):
                    write_file(entry, folder, name, self._temporary())
            elif entry.kind == "symlink":
                _write_link(entry, folder, name, self._temporary())
            elif entry.kind == "fifo" and was is None:
                os.mkfifo(name, entry.mode & _MODE, dir_fd=folder)
        if self._wipe:
            for name in there.keys() - names:
                _remove(folder, name)
        return below

    def _temporary(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}.part"


@dataclass(slots=True)
class _Open:
    """A directory being filled: its mode and time are set when it's complete, for it may forbid writing."""

    entry: Entry | None
    descriptor: int
    todo: list[Entry]

    def leave(self) -> None:
        if self.entry is not None:
            os.fchmod(self.descriptor, self.entry.mode & _MODE)
            os.utime(self.descriptor, ns=(self.entry.mtime_ns, self.entry.mtime_ns))
        os.close(self.descriptor)


def _kinds(folder: int) -> dict[str, str]:
    with os.scandir(folder) as entries:
        return {entry.name: "dir" if entry.is_dir(follow_symlinks=False) else "other" for entry in entries}


def _open_directory(folder: int, name: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=folder)
    except PermissionError:
        # Ours, from an export before, with a mode that locks us out: opened up until it's filled.
        os.chmod(name, 0o700, dir_fd=folder)
        return os.open(name, _DIRECTORY, dir_fd=folder)


def _has_already(entry: Entry, folder: int, name: str) -> bool:
    """Whether a file of ours with these bytes is there; its mode and time are set right. Reading is far cheaper than
    replacing, for which some file systems wait until the new bytes are on disk.
    """
    try:
        target = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        facts = os.fstat(target)
        if (
            not stat.S_ISREG(facts.st_mode)
            or (facts.st_size, facts.st_uid, facts.st_nlink) != (entry.size, os.geteuid(), 1)
            or not _equal(entry, target)
        ):
            return False
        if stat.S_IMODE(facts.st_mode) != entry.mode & _MODE:
            os.fchmod(target, entry.mode & _MODE)
        if facts.st_mtime_ns != entry.mtime_ns:
            os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns))
        return True
    finally:
        os.close(target)


def _equal(entry: Entry, target: int) -> bool:
    source = os.open(entry.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while True:
            ours, theirs = os.read(source, 1 << 20), os.read(target, 1 << 20)
            if ours != theirs:
                return False
            if not ours:
                return True
    finally:
        os.close(source)


def write_file(entry: Entry, folder: int, name: str, temporary: str) -> None:
    """A file in an open directory: under a temporary name, complete with mode and time, then renamed."""
    source = os.open(entry.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            if entry.size:
                _copy(source, target, entry.size)
            os.fchmod(target, entry.mode & _MODE)
            os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(target)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    finally:
        os.close(source)


def _copy(source: int, target: int, size: int) -> None:
    """Small files in two calls; larger ones without passing through us."""
    if size > 65_536:
        copy_contents(source, target)
        return
    data = os.read(source, size)
    if os.write(target, data) != size:
        os.lseek(source, 0, os.SEEK_SET)
        os.ftruncate(target, 0)
        os.lseek(target, 0, os.SEEK_SET)
        copy_contents(source, target)


def _write_link(entry: Entry, folder: int, name: str, temporary: str) -> None:
    os.symlink(os.readlink(entry.real), temporary, dir_fd=folder)
    try:
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise


def _remove(folder: int, name: str) -> None:
    """Remove an entry of an open directory with all below it, no link followed."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
        return
    here = os.open(name, _DIRECTORY, dir_fd=folder)
    try:
        for child in _kinds(here):
            _remove(here, child)
    finally:
        os.close(here)
    os.rmdir(name, dir_fd=folder)


@contextlib.contextmanager
def _host_errors(dest: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or dest
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"no space left on the host for {dest}", hint="free some space there, then export again"
            ) from error
        reason = {errno.EACCES: "host-not-writable", errno.EROFS: "host-not-writable"}.get(
            error.errno or 0, "export-failed"
        )
        raise HostError(
            f"can't export to {dest}: {os.fsdecode(where)}: {error.strerror}",
            reason=reason,
            hint="choose a directory that you may write to",
        ) from error
