"""Running commands in sandboxes of both backends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from sealane_engine.sandbox import BACKENDS, open_backend
from sealane_engine.sandbox.backend import Exit
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.sandbox.plan import Command, Mount, Overlay, Plan

ENV = (("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root"))


@dataclass(frozen=True)
class Ran:
    exit: Exit
    out: str
    err: str
    root: Overlay

    @property
    def code(self) -> int:
        return self.exit.code


@contextmanager
def pipes() -> Iterator[tuple[int, int, int, Callable[[], Awaitable[tuple[str, str]]]]]:
    """Descriptors for a sandbox, and a function that reads its output to the end."""
    null = os.open("/dev/null", os.O_RDONLY)
    (out_r, out_w), (err_r, err_w) = os.pipe(), os.pipe()

    def everything(fd: int) -> str:
        with os.fdopen(fd, "rb") as file:
            return file.read().decode(errors="replace")

    async def read() -> tuple[str, str]:
        for fd in (null, out_w, err_w):
            os.close(fd)
        out, err = await asyncio.gather(asyncio.to_thread(everything, out_r), asyncio.to_thread(everything, err_r))
        return out, err

    yield null, out_w, err_w, read


async def until(condition: Callable[[], bool]) -> None:
    """Poll what has no event of its own; the test's timeout is the limit."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


class Sandboxes:
    """One backend on the Debian layer."""

    def __init__(self, backend: Any, debian: Any) -> None:
        self.backend = backend
        self.debian = debian

    def plan(self, *args: str, **options: Any) -> Plan:
        command = {key: options.pop(key) for key in ("cwd", "uid", "gid", "groups") if key in options}
        env = options.pop("env", ENV)
        root = options.pop("root", None) or self.debian.root()
        mounts: tuple[Mount, ...] = options.pop("mounts", ())
        return Plan(root, Command(args, env=env, **command), mounts, **options)

    async def run(self, *args: str, before_exec: Any = None, **options: Any) -> Ran:
        plan = self.plan(*args, **options)
        with pipes() as (stdin, stdout, stderr, read):
            starting = asyncio.ensure_future(
                self.backend.start(plan, stdin=stdin, stdout=stdout, stderr=stderr, before_exec=before_exec)
            )
            await asyncio.wait([starting])
            out, err = await read()
            process = await starting
        return Ran(await process.wait(), out, err, plan.root)

    async def sh(self, script: str, **options: Any) -> Ran:
        return await self.run("sh", "-c", script, **options)


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.needs(*{"root", name} - {"launcher"})) for name in BACKENDS]
)
def in_sandboxes(request: pytest.FixtureRequest, debian: Any) -> Callable[[Callable[[Sandboxes], Awaitable[Any]]], Any]:
    """Run an async function with sandboxes of each backend."""

    def run(body: Callable[[Sandboxes], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            async with open_backend(request.param, home=debian.home, ids=ROOT_RANGE) as backend:
                return await body(Sandboxes(backend, debian))

        return asyncio.run(main())

    return run
