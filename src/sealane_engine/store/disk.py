"""File operations of the store: full disks as errors of ours, deep trees removed, contents shared or copied."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from sealane_engine.errors import DiskFull, StoreError

INTERNAL_XATTR = "user.overlay."
OPAQUE_XATTR = "user.overlay.opaque"
_RESERVE = 8 << 20
_NO_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EACCES, errno.EOPNOTSUPP})


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn the kernel's "no space" and I/O errors below `path` into DiskFull and StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(path, error) from error
        if error.errno == errno.EIO:
            raise StoreError(
                f"the store's disk answered with an input/output error at {error.filename or path}",
                reason="disk-io",
                hint="check the disk; nothing was recorded for this operation",
            ) from error
        raise


def disk_full(path: Path, error: BaseException) -> DiskFull:
    try:
        facts = os.statvfs(path)
        free = f"{facts.f_bavail * facts.f_frsize} bytes are free"
        if facts.f_files and not facts.f_favail:
            free += ", no inode is"
    except OSError:
        free = "its free space can't be read"
    where = getattr(error, "filename", None) or path
    return DiskFull(
        f"no space left for {os.fsdecode(where)}: {free} at {path}",
        hint="free some space (`sealane cache prune` removes what no run uses), then call again",
    )


def hold_reserve(home: Path) -> None:
    """Keep some space aside: on a full disk even opening the index and deleting from it need room.

    When space is short already, the reserve is what's given up.
    """
    facts = os.statvfs(home)
    size = min(_RESERVE, facts.f_blocks * facts.f_frsize // 4)
    path = home / "reserve"
    if facts.f_bavail * facts.f_frsize < size:
        free_reserve(home)
        return
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size == size:
            return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def free_reserve(home: Path) -> None:
    """Give up the reserve, for `hold_reserve` to take again later."""
    (home / "reserve").unlink(missing_ok=True)


def remove_tree(path: str | Path, trash: Path) -> None:
    """Delete a directory however deep it is: its subdirectories are first moved up into `trash`.

    `trash` is a directory on the same file system. What has vanished already is fine.
    """
    prefix = secrets.token_hex(5)
    numbers = itertools.count()
    todo = [os.fspath(path)]
    while todo:
        here = todo.pop()
        for name, is_dir in _entries(here):
            child = f"{here}/{name}"
            with contextlib.suppress(FileNotFoundError):
                if not is_dir:
                    os.unlink(child)
                elif not _rmdir(child):
                    moved = f"{trash}/{prefix}-{next(numbers)}"
                    os.rename(child, moved)
                    todo.append(moved)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(here)


def _rmdir(path: str) -> bool:
    try:
        os.rmdir(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _entries(path: str) -> list[tuple[str, bool]]:
    try:
        with os.scandir(path) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except FileNotFoundError:
        return []
    except PermissionError:
        os.chmod(path, 0o700)
        with os.scandir(path) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


def copy_contents(source: int, target: int) -> int:
    """Copy everything from one open file to another, sharing blocks where the file system can. Answers the bytes."""
    total = 0
    try:
        while count := os.copy_file_range(source, target, 1 << 30):
            total += count
    except OSError as error:
        if total or error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            raise
    # Some file systems (of /proc, of FUSE) answer 0 although there is more: the plain loop ends at once if there isn't.
    while data := os.read(source, 1 << 20):
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
        total += len(data)
    return total


def link(source: str, target: str) -> bool:
    """Hard-link; False when the file system or the file refuses (too many links, other device)."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINK:
            return False
        raise
    return True


def copy_node(source: str, facts: os.stat_result, target: str) -> None:
    """Make `target` what `source` is (not a directory): content, link target or device. Metadata is the caller's."""
    if stat.S_ISREG(facts.st_mode):
        reader = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                copy_contents(reader, writer)
            finally:
                os.close(writer)
        finally:
            os.close(reader)
    elif stat.S_ISLNK(facts.st_mode):
        os.symlink(os.readlink(source), target)
    else:
        os.mknod(target, stat.S_IFMT(facts.st_mode) | 0o600, facts.st_rdev)


def copy_xattrs(source: str, target: str) -> None:
    """Extended attributes, all but overlayfs's own."""
    for name in xattrs(source):
        with contextlib.suppress(OSError):
            os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)


def xattrs(path: str) -> list[str]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return []
    return sorted(name for name in names if not name.startswith(INTERNAL_XATTR)) if names else []


def set_metadata(path: str, mode: int, uid: int, gid: int, times: tuple[int, int] | None) -> None:
    """Owner (outer ids) first, for chown clears setuid bits; then mode, unless a link; then times."""
    os.chown(path, uid, gid, follow_symlinks=False)
    if not stat.S_ISLNK(mode):
        os.chmod(path, stat.S_IMODE(mode))
    if times is not None:
        os.utime(path, ns=times, follow_symlinks=False)


def whiteout(path: str) -> None:
    os.mknod(path, stat.S_IFCHR | 0o600, 0)


def is_whiteout(facts: os.stat_result) -> bool:
    return stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0


def set_opaque(path: str) -> None:
    os.setxattr(path, OPAQUE_XATTR, b"y")


def is_opaque(path: str) -> bool:
    try:
        return os.getxattr(path, OPAQUE_XATTR, follow_symlinks=False) == b"y"
    except OSError:
        return False


def syncfs(descriptor: int) -> None:
    """Write the file system of `descriptor` to disk; an I/O error since the last call raises."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
