"""How long a step takes in each sandbox backend: start of /bin/true with overlay and own namespaces, to its exit.

    sudo python benchmarks/sandbox.py --home DIR --layer l/NAME [--runs 50] [--backend launcher]

DIR is a store-like directory with a root file system (ids shifted) in DIR/l/NAME. The floor is a bare clone of this
process into the same namespaces, one overlay mount left out, that only exits.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from sealane_engine.linux import namespaces
from sealane_engine.sandbox import BACKENDS, open_backend
from sealane_engine.sandbox.backend import Backend
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.sandbox.launcher.child import NEW
from sealane_engine.sandbox.plan import Command, Content, Mount, Overlay, Plan


def report(name: str, seconds: list[float]) -> None:
    low, middle = min(seconds) * 1000, statistics.median(seconds) * 1000
    print(f"{name:<42} {low:7.2f} {middle:7.2f}  ms (min, median of {len(seconds)})")


def floor() -> float:
    begin = time.perf_counter()
    pid = namespaces.fork(NEW)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return time.perf_counter() - begin


def staging(home: Path, number: int) -> str:
    rel = f"s/bench-{os.getpid()}-{number}"
    for name in ("fs", "work"):
        (home / rel / name).mkdir(parents=True)
        os.chown(home / rel / name, ROOT_RANGE.base, ROOT_RANGE.base)
    return rel


async def step(backend: Backend, home: Path, layer: str, number: int, wait: Callable[[int], Awaitable[None]]) -> float:
    rel = staging(home, number)
    mounts = (Mount("/etc/hosts", Content(b"127.0.0.1 localhost\n", mode=0o644)),)
    plan = Plan(Overlay((layer,), rel), Command(("/bin/true",), env=(("PATH", "/bin"),)), mounts)
    null = os.open("/dev/null", os.O_RDWR)
    begin = time.perf_counter()
    process = await backend.start(plan, stdin=null, stdout=null, stderr=null, before_exec=wait)
    ended = await process.wait()
    seconds = time.perf_counter() - begin
    os.close(null)
    shutil.rmtree(home / rel)
    assert ended.code == 0, ended
    return seconds


async def no_wait(pid: int) -> None:
    """Where the network would be attached."""


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--backend", choices=BACKENDS, action="append")
    options = parser.parse_args()
    report("floor: clone into new namespaces, exit", [floor() for _ in range(options.runs)])
    for name in options.backend or BACKENDS:
        async with open_backend(name, home=options.home, ids=ROOT_RANGE) as backend:
            seconds = [await step(backend, options.home, options.layer, n, no_wait) for n in range(options.runs)]
            report(f"{name}: one step", seconds)
            begin = time.perf_counter()
            await asyncio.gather(*(step(backend, options.home, options.layer, n, no_wait) for n in range(20)))
            report(f"{name}: 20 steps at once", [time.perf_counter() - begin])


if __name__ == "__main__":
    asyncio.run(main())
