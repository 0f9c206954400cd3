"""Making and entering namespaces."""

from __future__ import annotations

import os

from sealane_engine.linux import libc

NEWTIME = 0x80
NEWNS = 0x20000
NEWCGROUP = 0x2000000
NEWUTS = 0x4000000
NEWIPC = 0x8000000
NEWUSER = 0x10000000
NEWPID = 0x20000000
NEWNET = 0x40000000

_SIGCHLD = 17
_CLONE = libc.number(x86_64=56, aarch64=220)
_SET_NS = libc.number(x86_64=308, aarch64=268)


def fork(flags: int = 0) -> int:
    """Fork with the child in new namespaces (NEW flags). Only for a process with one thread."""
    return libc.syscall("clone", _CLONE, flags | _SIGCHLD, 0, 0, 0, 0)


def unshare(flags: int) -> None:
    libc.call("unshare", flags)


def enter(namespace: int, flags: int) -> None:
    """setns: `namespace` is a namespace's descriptor, or a process's (pidfd) with the flags of all to enter."""
    libc.syscall("setns", _SET_NS, namespace, flags)


def set_hostname(name: str) -> None:
    data = os.fsencode(name)
    libc.call("sethostname", data, len(data))
