"""What a session costs through the unmodified client: one step, chains, steps side by side, services.

    sealane run python benchmarks/session.py          (or on any session: DAGGER_SESSION_PORT and _TOKEN set)

Prints seconds, smallest of a few runs. Compare figures of one run with each other, not with another day's.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio
import dagger
from dagger import dag

IMAGE = "debian:bookworm-slim"


async def main() -> None:
    async with dagger.connection():
        base = dag.container().from_(IMAGE)
        await base.with_exec(["true"]).sync()
        await measure("one step", lambda: base.with_exec(["true", stamp()]).sync(), 10)
        await measure("50 steps in a chain", lambda: chain(base, stamp()).sync(), 3)
        mark = stamp()
        await chain(base, mark).sync()
        await measure("the same chain, from the store", lambda: chain(base, mark).sync(), 5)
        await measure("20 steps side by side", lambda: side_by_side(base, 20), 3)
        await measure("200 MB written", lambda: base.with_exec(["sh", "-c", f"dd if=/dev/zero of=/x bs=1M count=200 2>/dev/null # {stamp()}"]).sync(), 2)


async def measure(name: str, work: Callable[[], Awaitable[object]], runs: int) -> None:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        await work()
        times.append(time.perf_counter() - started)
    print(f"{name:34} {min(times):8.4f}  median {sorted(times)[len(times) // 2]:8.4f}")


def stamp() -> str:
    return str(time.time_ns())


def chain(base: dagger.Container, mark: str) -> dagger.Container:
    for number in range(50):
        base = base.with_exec(["true", f"{mark}-{number}"])
    return base


async def side_by_side(base: dagger.Container, count: int) -> None:
    mark = stamp()
    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(base.with_exec(["true", f"{mark}-{number}"]).sync)


if __name__ == "__main__":
    anyio.run(main)
