"""Up and its group: module functions that answer a service, brought up on the client's machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.service import up as bring_up
from sealane_engine.api.values import Service
from sealane_engine.errors import InvalidInput
from sealane_engine.modules.marked import Marked, marked
from sealane_engine.modules.module import Module

module = Fields("Module")
group = Fields("UpGroup")
field = Fields("Up")


@dataclass(frozen=True, slots=True, eq=False)
class Up:
    marked: Marked


@dataclass(frozen=True, slots=True, eq=False)
class UpGroup:
    ups: tuple[Up, ...]


def ups_of(modules: Iterable[Module], include: list[str] | None) -> UpGroup:
    return UpGroup(tuple(Up(each) for each in marked(modules, "up", include)))


@module("services")
async def module_services(ctx: Context, self: Module, *, include: list[str] | None = None) -> UpGroup:
    return ups_of((self,), include)


@group("list")
async def listed(ctx: Context, self: UpGroup) -> list[Up]:
    return list(self.ups)


@group("run")
async def run_group(ctx: Context, self: UpGroup) -> UpGroup:
    """Start all, until the request is cancelled or one of them ends; two that want one port are refused before."""
    services = await asyncio.gather(*(_service(ctx, each) for each in self.ups))
    taken: dict[tuple[int, str], str] = {}
    for each, service in zip(self.ups, services, strict=True):
        for port in service.ports:
            other = taken.setdefault((port.port, port.protocol), each.marked.name)
            if other != each.marked.name:
                raise InvalidInput(
                    f"port {port.port}/{port.protocol.lower()} is exposed by both {other!r} and {each.marked.name!r}",
                    reason="port-collision",
                    hint="bring up one of them alone, or let one expose another port",
                )
    async with asyncio.TaskGroup() as tasks:
        for service in services:
            tasks.create_task(bring_up(ctx, service))
    return self


@field("run")
async def run(ctx: Context, self: Up) -> Up:
    await bring_up(ctx, await _service(ctx, self))
    return self


async def _service(ctx: Context, self: Up) -> Service:
    made = await ctx.engine.resolver.evaluate(ctx.client, self.marked.call)
    if not isinstance(made, Service):
        raise InvalidInput(f"{self.marked.name!r} did not answer a Service", reason="up-no-service")
    return made


@field("name")
async def name(ctx: Context, self: Up) -> str:
    return self.marked.name


@field("path")
async def path(ctx: Context, self: Up) -> list[str]:
    return self.marked.name.split(":")


@field("description")
async def description(ctx: Context, self: Up) -> str:
    return self.marked.function.description


@field("originalModule")
async def original_module(ctx: Context, self: Up) -> Module:
    return self.marked.module
