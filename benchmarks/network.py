"""How long a step's network takes: start of the router, then veth, addresses and routes for each step.

    sudo python benchmarks/network.py [--runs 50] [--uplink pasta]

Each step is a sleeping process with a user and network namespace of its own; making it is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import time

from sealane_engine.events import Events
from sealane_engine.net.network import Network


def make_step() -> subprocess.Popen[str]:
    command = ["unshare", "--user", "--net", "--map-root-user", "sh", "-c", "echo made; exec sleep infinity"]
    step = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert step.stdout is not None
    step.stdout.readline()
    return step


async def measure(runs: int, uplink: str | None) -> None:
    attach: list[float] = []
    start = time.perf_counter()
    async with Network(Events(), pasta=uplink) as network:
        await network.prepare()
        print(f"{'router and uplink':<24} {(time.perf_counter() - start) * 1000:7.2f}  ms (once)")
        for _ in range(runs):
            step = make_step()
            try:
                before = time.perf_counter()
                network.release(await network.attach(step.pid))
                attach.append(time.perf_counter() - before)
            finally:
                step.kill()
                step.wait()
        start = time.perf_counter()
    low, middle = min(attach) * 1000, statistics.median(attach) * 1000
    print(f"{'attach a step':<24} {low:7.2f} {middle:7.2f}  ms (min, median of {len(attach)})")
    print(f"{'leave':<24} {(time.perf_counter() - start) * 1000:7.2f}  ms (once)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--uplink", default="pasta", help="empty: carry TCP connections ourselves")
    options = parser.parse_args()
    asyncio.run(measure(options.runs, options.uplink or None))


if __name__ == "__main__":
    main()
