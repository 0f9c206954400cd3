"""An engine for a benchmark, started as the command line starts it; and the clock that all of them use."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

IMAGE = "debian:bookworm-slim"


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine; `environ` is where a client finds it."""

    pid: int
    port: int
    token: str

    @property
    def environ(self) -> dict[str, str]:
        return {"DAGGER_SESSION_PORT": str(self.port), "DAGGER_SESSION_TOKEN": self.token}

    def memory(self) -> float:
        """Resident memory in MB, of the engine itself."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 1e6


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    """An engine on the store of SEALANE_HOME, whose events somebody reads."""
    with Path(os.devnull).open("wb") as events:
        command = [sys.executable, "-P", "-m", "sealane_engine", "--home", os.environ["SEALANE_HOME"]]
        command += ["--events-fd", str(events.fileno())]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(events.fileno(),), start_new_session=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            yield Engine(process.pid, told["port"], told["session_token"])
        finally:
            process.stdin.close()
            process.wait()


async def measure(name: str, work: Callable[[], Awaitable[object]], runs: int) -> None:
    """Print the smallest of some runs as a row."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        await work()
        times.append(time.perf_counter() - started)
    row(name, min(times))


def row(name: str, value: float) -> None:
    print(f"{name}\t{value:.5f}", flush=True)


def stamp() -> str:
    """What no step had before among its arguments."""
    return str(time.time_ns())
