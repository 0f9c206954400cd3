"""The process that keeps the router's namespaces and runs its uplink: everything here dies with the engine.

Run as a script of its own by a clean interpreter (`python -I -S keeper.py`), so it imports nothing of ours.

engine ── watcher (waits) ── keeper (pid 1 of a pid namespace) ─┬─ holder (the router's user and network namespace)
                                                               └─ the uplink program (in the engine's own namespaces)

Whatever way the engine ends, its pipe closes and the keeper exits, and the kernel kills what is in its pid namespace.
It writes `holder PID` when the namespaces exist, then answers each line of its input, a JSON list of arguments,
by starting that program, and writes `exit CODE` when it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
from pathlib import Path

_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x1000_0000, 0x2000_0000, 0x4000_0000
_SET_PDEATHSIG = 1


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        print(f"failed {what}: {os.strerror(number)}", flush=True)  # noqa: T201 - the protocol with the engine
        os._exit(1)


def _hold(libc: ctypes.CDLL) -> None:
    """Become the process whose namespaces are the router's."""
    libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    uid, gid = os.geteuid(), os.getegid()
    _check(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET), "unshare the router's user and network namespace")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        Path(f"/proc/self/{name}").write_text(text)
    libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    pid = Path("/proc/self").readlink()  # as the engine sees it: getpid() counts in our pid namespace
    print(f"holder {pid}", flush=True)  # noqa: T201
    os.close(0)
    os.close(1)
    while True:
        signal.pause()


def _start(argv: list[str]) -> int:
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            null = os.open("/dev/null", os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(2, 1)
            # Python ignores SIGPIPE, which a program would inherit; pasta takes that for an error.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvp(argv[0], argv)  # noqa: S606
        os._exit(127)
    return pid


def _keep() -> None:
    """Start programs as asked until the engine's pipe closes."""
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    pending = b""
    while True:
        for ready in select.select([0, wake], [], [])[0]:
            data = os.read(ready, 65_536)
            if ready == wake:
                _reap()
                continue
            if not data:
                os._exit(0)
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                _start(json.loads(line))


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        print(f"exit {os.waitstatus_to_exitcode(status)}", flush=True)  # noqa: T201


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the engine's to handle
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _check(libc.unshare(_CLONE_NEWPID), "unshare a pid namespace")
    keeper = os.fork()
    if keeper:
        os.close(0)
        os.close(1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1]))
    libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.fork() == 0:
        _hold(libc)
    _keep()


if __name__ == "__main__":
    main()
