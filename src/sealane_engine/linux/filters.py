"""Loading a seccomp filter."""

from __future__ import annotations

import ctypes

from sealane_engine.linux import libc

_SECCOMP = libc.number(x86_64=317, aarch64=277)
_SET_MODE_FILTER = 1
_INSTRUCTION = 8


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def load(program: bytes) -> None:
    """Install a BPF program on this thread. Needs CAP_SYS_ADMIN in its user namespace (no_new_privs stays unset)."""
    libc.syscall(
        "seccomp", _SECCOMP, _SET_MODE_FILTER, 0, ctypes.byref(_Program(len(program) // _INSTRUCTION, program))
    )
