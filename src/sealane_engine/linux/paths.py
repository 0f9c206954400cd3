"""openat2: opening a path that can't leave a directory."""

from __future__ import annotations

import ctypes
import errno
import os

from sealane_engine.linux import libc

NO_MAGICLINKS = 0x02
NO_SYMLINKS = 0x04
BENEATH = 0x08
IN_ROOT = 0x10

_RACES = 32  # the kernel answers EAGAIN when a rename elsewhere made the walk uncertain


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_at(directory: int, path: str | bytes, flags: int, resolve: int, mode: int = 0) -> int:
    """Open `path` relative to `directory` under the RESOLVE_ rules; the descriptor is close-on-exec."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    for attempt in range(_RACES):
        try:
            return libc.syscall(
                "openat2", 437, directory, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how), path=path
            )
        except OSError as error:
            if error.errno != errno.EAGAIN or attempt == _RACES - 1:
                raise
    raise AssertionError("unreachable")
