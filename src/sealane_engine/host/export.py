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
            _write_file(entry, folder, dest.name)
        finally:
            os.close(folder)
    return dest


class _Export:
    def __init__(self, view: TreeView, *, wipe: bool) -> None:
        self._view = view
        self._wipe = wipe

    def fill(self, path: str, descriptor: int) -> None:
        """Fill the open directory with what the tree has at `path`. The tree's depth is that of a file system's paths."""
        todo = [(path, os.dup(descriptor), 0)]
        try:
            while todo:
                here, folder, mtime = todo.pop()
                try:
                    below = self._one(here, folder)
                    todo += below
                    if mtime and not below:
                        os.utime(folder, ns=(mtime, mtime))
                finally:
                    os.close(folder)
        finally:
            for _, folder, _ in todo:
                os.close(folder)

    def _one(self, here: str, folder: int) -> list[tuple[str, int, int]]:
        """Everything of one directory but what its subdirectories hold; those are opened and answered."""
        there = _kinds(folder)
        below: list[tuple[str, int, int]] = []
        names = set()
        for entry in self._view.scandir(here):
            name = entry.name
            names.add(name)
            if entry.kind == "dir":
                below.append((entry.path, _open_directory(entry, folder, name, there.get(name)), entry.mtime_ns))
                continue
            if there.get(name) == "dir":
                _remove(folder, name)
            if entry.kind == "file":
                _write_file(entry, folder, name, fresh=name not in there)
            elif entry.kind == "symlink":
                _write_link(entry, folder, name)
            elif entry.kind == "fifo" and name not in there:
                os.mkfifo(name, entry.mode & _MODE, dir_fd=folder)
        if self._wipe:
            for name in there.keys() - names:
                _remove(folder, name)
        return below


def _kinds(folder: int) -> dict[str, str]:
    with os.scandir(folder) as entries:
        return {entry.name: "dir" if entry.is_dir(follow_symlinks=False) else "other" for entry in entries}


def _open_directory(entry: Entry, folder: int, name: str, there: str | None) -> int:
    if there == "other":
        os.unlink(name, dir_fd=folder)
        there = None
    if there is None:
        os.mkdir(name, 0o700, dir_fd=folder)
    descriptor = os.open(name, _DIRECTORY, dir_fd=folder)
    # An export must be able to fill its directories, whoever runs it: what they forbid us holds for others.
    os.fchmod(descriptor, entry.mode & _MODE | (0 if os.geteuid() == 0 else 0o700))
    return descriptor


def _write_file(entry: Entry, folder: int, name: str, *, fresh: bool = False) -> None:
    """A file under a temporary name, complete with mode and time, then renamed."""
    temporary = f".{secrets.token_hex(6)}.part"
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
        if not fresh:
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    _remove(folder, name)
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


def _write_link(entry: Entry, folder: int, name: str) -> None:
    temporary = f".{secrets.token_hex(6)}.part"
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
