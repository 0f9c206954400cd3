"""A kill -9 of the engine or the launcher leaves no process, no mount and no control group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sealane_engine.sandbox import BACKENDS
from sealane_engine.sandbox.launcher.cgroups import find

ENGINE = """
import asyncio, os, sys
from pathlib import Path
from sealane_engine.sandbox import open_backend
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.sandbox.plan import Command, Overlay, Plan

async def main(name, home, layer, mark, *stagings):
    null = os.open("/dev/null", os.O_RDWR)
    async with open_backend(name, home=Path(home), ids=ROOT_RANGE) as backend:
        pids = []
        for number, staging in enumerate(stagings):
            command = Command(("sh", "-c", f"setsid sleep {mark} & sleep {mark}"), env=(("PATH", "/usr/bin:/bin"),))
            plan = Plan(Overlay((layer,), staging), command, no_init=number == 2)
            process = await backend.start(plan, stdin=null, stdout=null, stderr=null)
            pids.append(process.pid)
        print(backend.pid, *pids, flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.needs("root")
@pytest.mark.parametrize("backend", [pytest.param(n, marks=pytest.mark.needs(*{n} - {"launcher"})) for n in BACKENDS])
@pytest.mark.parametrize("victim", ["engine", "launcher", "both"])
def test_kill_leaves_nothing(debian, backend, victim):
    mark = f"{os.getpid()}.{time.monotonic_ns()}"
    stagings = [debian.staging("kill") for _ in range(3)]
    engine = subprocess.Popen(
        [sys.executable, "-c", ENGINE, backend, str(debian.home), debian.layer, mark, *stagings],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    try:
        assert engine.stdout
        launcher, *pids = map(int, engine.stdout.readline().split())
        wait_until(lambda: len(sleepers(mark)) == 6)
        for pid in {"engine": [engine.pid], "launcher": [launcher], "both": [launcher, engine.pid]}[victim]:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not sleepers(mark) and not any(alive(pid) for pid in pids))
    finally:
        engine.kill()
        engine.wait()
        engine.stdout.close()
    wait_until(lambda: not alive(launcher))
    assert stagings[0] not in Path("/proc/self/mountinfo").read_text()
    if victim == "engine":
        assert [group for group in groups() if f"-{launcher}-" in group.name] == []
    else:  # nobody was left to remove them: the next launcher does
        subprocess.run(
            [sys.executable, "-c", SWEEP], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True
        )
        assert [group for group in groups() if f"-{launcher}-" in group.name] == []


SWEEP = "from sealane_engine.sandbox.launcher.cgroups import Cgroups; Cgroups().close()"


def groups() -> list[Path]:
    return [path for hierarchy in find() for path in Path(hierarchy.path).glob("sealane-*")]


def alive(pid: int) -> bool:
    """Not gone, and not a zombie that waits for the machine's init."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def sleepers(mark: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().split(b"\0")[:2] == [b"sleep", mark.encode()]:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
