"""What pid 1 of a sandbox does while the command runs: forward signals, reap, end with the command's code.

At the end it freezes what is kept of the sandbox. Killing its processes isn't enough: one of them may have handed the
descriptor of a file to another sandbox, through a unix socket in a cache volume that both have mounted, and so could
change a layer later. A file system that became read-only while nothing had a file open for writing can't be written to.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from sealane_engine.linux import mounts

_KEPT = {signal.SIGCHLD, signal.SIGURG}
_TRIES, _PAUSE = 50, 0.01
"""The kernel closes the files of a process that has ended a little later now and then, and tells nobody."""


def block() -> None:
    """Before the command is forked: from here on signals wait for `supervise`."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())


def supervise(pid: int, staged: Sequence[int] = (), frozen: Callable[[int], None] = lambda _: None) -> NoReturn:
    """Wait for the command (the leader of its own session) and exit as it did, `frozen` having been called with its code
    if the mounts `staged` could be frozen.
    """
    signals = signal.valid_signals()
    while True:
        # A child may have ended before SIGCHLD was blocked or looked at: reap first, then wait.
        code = _reap(pid)
        if code is not None:
            if staged and _freeze(staged):
                frozen(code)
            os._exit(code)
        number = signal.sigwaitinfo(signals).si_signo
        if number not in _KEPT:
            _forward(pid, number)


def _freeze(staged: Sequence[int]) -> bool:
    """End what the command left running, and make its changes final."""
    _end_all()
    for _ in range(_TRIES):
        try:
            for mount in staged:
                mounts.make_read_only(mount)
        except OSError as error:
            if error.errno != errno.EBUSY:
                return False
            time.sleep(_PAUSE)
        else:
            return True
    return False


def _end_all() -> None:
    while True:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _forward(pid: int, number: int) -> None:
    try:
        os.kill(-pid, number)
    except ProcessLookupError:  # not yet the leader of its group
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def _reap(pid: int) -> int | None:
    """The command's exit code if it has ended; every other child that ended is only reaped."""
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 255
        if ended == 0:
            return None
        if ended == pid:
            return exit_code(status)


def exit_code(status: int) -> int:
    """Of a wait status: 128 + n after signal n."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
