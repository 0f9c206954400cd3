"""Calling the kernel: one door for system calls that Python's `os` lacks, errors raised as OSError."""

from __future__ import annotations

import ctypes
import os

# PyDLL keeps the interpreter lock: a child that `clone` makes has one thread, and it must be the one that holds it.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

MACHINE = os.uname().machine


class UnknownMachineError(Exception):
    """System call numbers are known for x86_64 and aarch64 only."""


def number(*, x86_64: int, aarch64: int) -> int:
    """The number of a system call on this machine."""
    numbers = {"x86_64": x86_64, "aarch64": aarch64, "arm64": aarch64}
    if MACHINE not in numbers:
        raise UnknownMachineError(f"no system call numbers for {MACHINE}: x86_64 and aarch64 are known")
    return numbers[MACHINE]


def _check(result: int, what: str, path: str | bytes | None) -> int:
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}", os.fsdecode(path) if path is not None else None)
    return result


def syscall(what: str, nr: int, *args: object, path: str | bytes | None = None) -> int:
    """Make system call `nr`; integers go as longs. `what` and `path` name it in the OSError."""
    converted = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return _check(_libc.syscall(ctypes.c_long(nr), *converted), what, path)


def call(what: str, *args: object, path: str | bytes | None = None) -> int:
    """Call libc's function `what`."""
    return _check(_libc[what](*args), what, path)
