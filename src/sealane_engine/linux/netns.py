"""Network namespaces of a thread: enter one by descriptor. Only the calling thread moves; its sockets stay where they were made."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNET = 0x4000_0000

_libc = ctypes.CDLL(None, use_errno=True)


def open_netns(pid: int) -> int:
    """A descriptor of the network namespace of `pid`; it keeps the namespace alive until it is closed."""
    return os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter_netns(descriptor: int) -> None:
    """Move the calling thread into a network namespace. Needs CAP_SYS_ADMIN over it and over the caller's user namespace."""
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns to a network namespace: {os.strerror(number)}")
