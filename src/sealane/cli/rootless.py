"""Starting the engine as an ordinary user: in a user namespace where id 0 is the user and 1 on are the user's subuids.

The child unshares and waits; newuidmap and newgidmap (which are setuid) write its maps; then it becomes the engine.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealane.errors import HostLacks

IDS = 65_536


@dataclass(frozen=True, slots=True)
class SubIds:
    """A range of ids that the system lends a user."""

    start: int
    count: int


def subordinate(table: str, name: str, uid: int) -> SubIds | None:
    """The user's first range in the text of /etc/subuid or /etc/subgid that is long enough."""
    for line in table.splitlines():
        fields = line.strip().split(":")
        if len(fields) == 3 and fields[0] in (name, str(uid)) and fields[1].isdecimal() and fields[2].isdecimal():
            found = SubIds(int(fields[1]), int(fields[2]))
            if found.count >= IDS:
                return found
    return None


def start(command: list[str], environ: Mapping[str, str], events: int, *, own_stdin: bool) -> subprocess.Popen[bytes]:
    """Start the engine inside the outer user namespace."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if own_stdin:
        pipes["stdin"] = subprocess.PIPE
    return _inside(command, environ, (events,), pipes, own_session=True)


def run_inside(command: list[str], environ: Mapping[str, str]) -> int:
    """Run a command inside the outer user namespace, on our own streams; its exit code."""
    return _inside(command, environ, (), {}, own_session=False).wait()


def _inside(
    command: list[str], environ: Mapping[str, str], passed: tuple[int, ...], pipes: dict[str, int], *, own_session: bool
) -> subprocess.Popen[bytes]:
    uid, gid, name = os.geteuid(), os.getegid(), _user()
    users, groups = _lent("/etc/subuid", name, uid), _lent("/etc/subgid", name, uid)
    for tool in ("newuidmap", "newgidmap"):
        if shutil.which(tool, path=environ.get("PATH")) is None:
            raise HostLacks(
                f"running without root needs {tool}, which is not on PATH",
                reason="no-newuidmap",
                hint="Install it (Debian: apt-get install uidmap), or run as root.",
            )
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()
    helper = [sys.executable, "-P", "-m", "sealane_engine.rootless", str(ready_write), str(go_read), *command]
    try:
        process = subprocess.Popen(
            helper,
            stdin=pipes.get("stdin"),
            stdout=pipes.get("stdout"),
            stderr=pipes.get("stderr"),
            pass_fds=(*passed, ready_write, go_read),
            env=dict(environ),
            start_new_session=own_session,
        )
    finally:
        os.close(ready_write)
        os.close(go_read)
    try:
        with os.fdopen(ready_read, "rb") as ready, os.fdopen(go_write, "wb") as go:
            if ready.read(1) != b"1":
                return process  # it has said why on stderr, which the caller reads
            _map("newuidmap", process.pid, uid, users)
            _map("newgidmap", process.pid, gid, groups)
            go.write(b"1")
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        raise
    return process


def _map(tool: str, pid: int, own: int, lent: SubIds) -> None:
    command = [tool, str(pid), "0", str(own), "1", "1", str(lent.start), str(IDS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostLacks(
            f"{' '.join(command)} failed: {done.stderr.strip()}",
            reason="id-map-refused",
            hint="Is newuidmap setuid root? `sealane doctor` says more.",
        )


def _lent(path: str, name: str, uid: int) -> SubIds:
    try:
        found = subordinate(Path(path).read_text(), name, uid)
    except OSError:
        found = None
    if found is None:
        raise HostLacks(
            f"running without root needs {IDS} ids for {name} in {path}",
            reason="no-subordinate-ids",
            hint=f"Ask for them: sudo usermod --add-subuids 200000-265535 --add-subgids 200000-265535 {name}",
        )
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())
