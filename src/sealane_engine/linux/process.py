"""Attributes of the calling process: its name, death signal, dumpability, session keyring."""

from __future__ import annotations

import ctypes

from sealane_engine.linux import libc

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_KEYCTL = libc.number(x86_64=250, aarch64=219)
_KEYCTL_JOIN_SESSION_KEYRING = 1


def die_with_parent(number: int = 9) -> None:
    """Get this signal when the parent dies. A change of ids forgets it."""
    libc.call("prctl", _PR_SET_PDEATHSIG, number, 0, 0, 0)


def set_undumpable() -> None:
    """No core dump, no ptrace, and /proc/PID closed to processes without CAP_SYS_PTRACE over this one."""
    libc.call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def set_name(name: str) -> None:
    """/proc/PID/comm, 15 bytes."""
    libc.call("prctl", _PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def leave_session_keyring() -> None:
    """A new session keyring, so that nothing in the old one is possessed any more."""
    libc.syscall("keyctl", _KEYCTL, _KEYCTL_JOIN_SESSION_KEYRING, None)


def arguments_area() -> tuple[int, int]:
    """Where this process's arguments are in memory: start, length."""
    with open("/proc/self/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    return start, end - start


def set_arguments(area: tuple[int, int], text: bytes) -> None:
    """Overwrite /proc/PID/cmdline in place."""
    start, length = area
    if start and length > len(text):
        ctypes.memset(start, 0, length)
        ctypes.memmove(start, text, len(text))
