"""Mounts by descriptor: open_tree, move_mount, mount_setattr, fsopen and friends, and the older mount(2)."""

from __future__ import annotations

import ctypes
import errno
import os

from sealane_engine.linux import libc

AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_FDCWD = -100

MS_RDONLY = 1
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MNT_DETACH = 2

ATTR_RDONLY = 0x1
ATTR_NOSUID = 0x2
ATTR_NODEV = 0x4
ATTR_NOEXEC = 0x8

_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_MOVE_MOUNT_T_EMPTY_PATH = 0x40
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE, _FSCONFIG_CMD_RECONFIGURE = 0, 1, 6, 7
_FSPICK_CLOEXEC, _FSPICK_EMPTY_PATH = 1, 8
_PIVOT_ROOT = {"x86_64": 155}.get(libc.MACHINE, 41)


def clone_tree(path: str | bytes = b"", at: int = AT_FDCWD, *, recursive: bool = False) -> int:
    """A detached clone of the mount at `path` (or of descriptor `at` itself): what a bind mount is made of."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (AT_RECURSIVE if recursive else 0) | (0 if path else AT_EMPTY_PATH)
    return libc.syscall("open_tree", 428, at, os.fsencode(path), flags, path=path)


def attach(mount: int, target: int) -> None:
    """Attach a detached mount on what descriptor `target` is."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    libc.syscall("move_mount", 429, mount, b"", target, b"", flags)


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def set_attributes(mount: int, attributes: int, *, recursive: bool = False) -> None:
    """Add ATTR_ flags to the mount that descriptor `mount` is the root of."""
    attr = _MountAttr(attributes, 0, 0, 0)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    libc.syscall("mount_setattr", 442, mount, b"", flags, ctypes.byref(attr), ctypes.sizeof(attr))


def new(kind: str, options: list[tuple[str, str | None]], *, attributes: int = 0, source: str | None = None) -> int:
    """A detached mount of a new file system; an option without a value is a flag."""
    context = libc.syscall("fsopen", 430, kind.encode(), 1, path=kind)
    try:
        if source is not None:
            options = [("source", source), *options]
        for key, value in options:
            command = _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING
            data = None if value is None else os.fsencode(value)
            libc.syscall("fsconfig", 431, context, command, key.encode(), data, 0, path=f"{kind} {key}={value}")
        try:
            libc.syscall("fsconfig", 431, context, _FSCONFIG_CMD_CREATE, None, None, 0, path=kind)
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror} {_complaints(context)}".strip(), kind) from None
        return libc.syscall("fsmount", 432, context, 1, attributes, path=kind)
    finally:
        os.close(context)


def make_read_only(mount: int) -> None:
    """Nothing writes to the file system of this mount any more, through whatever mount or descriptor. Raises EBUSY while
    a file of it is open for writing.
    """
    context = libc.syscall("fspick", 433, mount, b"", _FSPICK_CLOEXEC | _FSPICK_EMPTY_PATH)
    try:
        libc.syscall("fsconfig", 431, context, _FSCONFIG_SET_FLAG, b"ro", None, 0)
        libc.syscall("fsconfig", 431, context, _FSCONFIG_CMD_RECONFIGURE, None, None, 0)
    finally:
        os.close(context)


def _complaints(context: int) -> str:
    """What the kernel has to say about a file system context that failed."""
    lines = []
    while True:
        try:
            lines.append(os.read(context, 4096).decode(errors="replace").strip())
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            return "; ".join(lines)


def mount(kind: str, target: str, options: str = "", *, source: str = "none", flags: int = 0) -> None:
    """The older way to mount; options are limited to one page."""
    libc.call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
        path=target,
    )


def unmount(target: str, flags: int = MNT_DETACH) -> None:
    libc.call("umount2", os.fsencode(target), flags, path=target)


def pivot_root(new_root: str, put_old: str) -> None:
    libc.syscall("pivot_root", _PIVOT_ROOT, os.fsencode(new_root), os.fsencode(put_old), path=new_root)
