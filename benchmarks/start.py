"""What an engine costs: from nothing to its first answer, and its memory after 1,000 steps in one session."""

from __future__ import annotations

import base64
import http.client
import json
import os
import time

import anyio
import dagger
from dagger import dag
from engines import IMAGE, Engine, engine, row, stamp

RUNS = 5
STEPS = 1000


def ask(running: Engine, query: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port)
    token = base64.b64encode(f"{running.token}:".encode()).decode()
    connection.request("POST", "/query", json.dumps({"query": query}), {"Authorization": f"Basic {token}"})
    assert connection.getresponse().read()
    connection.close()


def first_answer() -> float:
    started = time.perf_counter()
    with engine() as running:
        ask(running, "{version}")
        return time.perf_counter() - started


async def steps() -> None:
    """Chains of 50, each asked for its output, as a busy pipeline would."""
    async with dagger.connection():
        base = dag.container().from_(IMAGE)
        for _ in range(STEPS // 50):
            mark, container = stamp(), base
            for number in range(50):
                container = container.with_exec(["echo", f"{mark}-{number}"])
            await container.stdout()


def main() -> None:
    row("engine, from nothing to its first answer", min(first_answer() for _ in range(RUNS)))
    with engine() as running:
        os.environ.update(running.environ)
        anyio.run(steps)
        row("engine memory after 1,000 steps (MB)", running.memory())


if __name__ == "__main__":
    main()
