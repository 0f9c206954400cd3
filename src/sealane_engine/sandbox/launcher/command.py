"""Becoming the command of a sandbox: its session, limits, capabilities, filter, ids, and exec."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from typing import TYPE_CHECKING, NoReturn

from sealane_engine.linux import capabilities, filters

if TYPE_CHECKING:
    from sealane_engine.sandbox.launcher.wire import WireCommand

CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
    "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip
"""What root has in a step: Dagger's set, less MKNOD."""

OPEN_FILES = 1 << 20
_TIOCSCTTY = 0x540E


class Policy:
    """What doesn't change from step to step: made once by the launcher."""

    def __init__(self, ordinary: bytes, privileged: bytes) -> None:
        self.last_capability = capabilities.last()
        self.kept = capabilities.mask(CAPABILITIES)
        self._filters = (ordinary, privileged)

    def bound(self, command: WireCommand) -> None:
        """Cut what this process and its children can ever have; what it has now, it keeps."""
        if not command.privileged:
            capabilities.drop_bounding(self.kept, self.last_capability)

    def restrict(self, command: WireCommand) -> None:
        """Cut this process down to what the command may do. Last, the capabilities that this needed itself go."""
        filters.load(self._filters[command.privileged])
        os.setgroups(command.groups)
        os.setresgid(command.gid, command.gid, command.gid)
        if command.uid:
            os.setresuid(command.uid, command.uid, command.uid)
        elif not command.privileged:
            capabilities.set_own(self.kept)


def run(command: WireCommand, policy: Policy, directory: int) -> NoReturn:
    """Turn this process into the command. `directory` is its working directory. Never returns.

    Descriptor 3, the reply socket, stays until exec closes it, for saying what failed here.
    """
    os.setsid()
    if os.isatty(0):
        fcntl.ioctl(0, _TIOCSCTTY, 0)
    os.fchdir(directory)
    os.closerange(4, OPEN_FILES)
    set_limits(command.processes)
    policy.restrict(command)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    execute(command)


def execute(command: WireCommand) -> NoReturn:
    """exec, with the failures that Dagger's init prints."""
    name = command.args[0]
    path = name
    if b"/" not in name and name:
        found = _look_up(name, command.env.get(b"PATH", b""))
        if found is None:
            complain(b'exec: "%b": executable file not found in $PATH' % name)
        path = found
    try:
        os.execve(path, command.args, command.env)  # noqa: S606 (argv, no shell: that is the point)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        complain(b"fork/exec %b: %b" % (path, (reason[:1].lower() + reason[1:]).encode()))


def _look_up(name: bytes, search: bytes) -> bytes | None:
    """As Go's exec.LookPath: an empty entry is the working directory; only files that may be executed count."""
    for directory in search.split(b":") if search else ():
        path = (directory or b".") + b"/" + name
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def complain(text: bytes) -> NoReturn:
    """The command couldn't be started: say so where its own complaints go, and end as Dagger's init does."""
    os.write(2, text + b"\n")
    os._exit(1)


def set_limits(processes: int | None) -> None:
    """As many open files as the machine lets us have, no core dumps, and `processes` for each user of the sandbox."""
    files = _at_most(resource.RLIMIT_NOFILE, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if processes is not None:
        most = _at_most(resource.RLIMIT_NPROC, processes)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _at_most(limit: int, wanted: int) -> int:
    hard = resource.getrlimit(limit)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
