"""What steps cost through the unmodified client: one, chains, side by side, a service, a large file."""

from __future__ import annotations

import os

import anyio
import dagger
from dagger import dag
from engines import IMAGE, engine, measure, stamp

LISTEN = "$s=IO::Socket::INET->new(Listen=>5,LocalPort=>8000)||die;while($c=$s->accept){print $c qq(hi\\n);close $c}"
CALL = "read line </dev/tcp/web/8000 && echo $line"


async def main() -> None:
    mark = stamp()
    with engine() as running:
        os.environ.update(running.environ)
        async with dagger.connection():
            await steps(mark)
    with engine() as running:
        os.environ.update(running.environ)
        async with dagger.connection():
            base = dag.container().from_(IMAGE)
            await base.sync()
            await measure("the same chain, in another session", lambda: chain(base, mark).sync(), 1)


async def steps(mark: str) -> None:
    base = dag.container().from_(IMAGE)
    await base.with_exec(["true"]).sync()
    await measure("one step", lambda: base.with_exec(["true", stamp()]).sync(), 15)
    await measure("50 steps in a chain", lambda: chain(base, stamp()).sync(), 3)
    await chain(base, mark).sync()
    await measure("the same chain, from the store", lambda: chain(base, mark).sync(), 5)
    await measure("20 steps side by side", lambda: side_by_side(base, 20), 3)
    await measure("a service started, healthy, called", lambda: served(base), 5)
    await measure("200 MB written in a step", lambda: large(base), 2)


def chain(base: dagger.Container, mark: str) -> dagger.Container:
    for number in range(50):
        base = base.with_exec(["true", f"{mark}-{number}"])
    return base


async def side_by_side(base: dagger.Container, count: int) -> None:
    mark = stamp()
    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(base.with_exec(["true", f"{mark}-{number}"]).sync)


async def served(base: dagger.Container) -> None:
    """A server that listens at once, so that what is measured is ours."""
    server = ["perl", "-MIO::Socket::INET", "-e", LISTEN, stamp()]
    service = base.with_exposed_port(8000).as_service(args=server)
    answer = await base.with_service_binding("web", service).with_exec(["bash", "-c", CALL, stamp()]).stdout()
    assert answer == "hi\n", answer


async def large(base: dagger.Container) -> None:
    await base.with_exec(["dd", "if=/dev/zero", f"of=/{stamp()}", "bs=1M", "count=200"]).sync()


if __name__ == "__main__":
    anyio.run(main)
