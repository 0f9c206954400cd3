"""What pid 1 of a sandbox does while the command runs: forward signals, reap, end with the command's code."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

_KEPT = {signal.SIGCHLD, signal.SIGURG}


def block() -> None:
    """Before the command is forked: from here on signals wait for `supervise`."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())


def supervise(pid: int) -> NoReturn:
    """Wait for the command (the leader of its own session) and exit as it did."""
    signals = signal.valid_signals()
    while True:
        # A child may have ended before SIGCHLD was blocked or looked at: reap first, then wait.
        code = _reap(pid)
        if code is not None:
            os._exit(code)
        number = signal.sigwaitinfo(signals).si_signo
        if number not in _KEPT:
            _forward(pid, number)


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
