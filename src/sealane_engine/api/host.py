"""Host: files, directories and ports of the client's machine."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from sealane_engine.api import nested
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory, File, Port, PortForward, Service, Socket
from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.graph.operation import HostDirectory, HostFile, Ref

query = Fields("Query")
field = Fields("Host")


@dataclass(frozen=True, slots=True)
class Host:
    """The machine of the client that asked."""


@query("host")
async def host(ctx: Context, self: None) -> Host:
    return Host()


@field("directory")
async def directory(
    ctx: Context,
    self: Host,
    *,
    path: str,
    exclude: list[str] | None = None,
    include: list[str] | None = None,
    noCache: bool = False,
    gitignore: bool = False,
) -> Directory:
    if (machine := ctx.engine.machine(ctx.client)) is not None:
        return await nested.directory(ctx, machine, path, include, exclude, gitignore=gitignore)
    found = ctx.engine.client_path(ctx.client, path)
    if not found.is_dir():
        raise NotFound(f"lstat {found}: no such directory", reason="host-path-not-found", hint="check the path")
    operation = HostDirectory(str(found), tuple(include or ()), tuple(exclude or ()), gitignore)
    return Directory(Ref(operation))


@field("file")
async def file(ctx: Context, self: Host, *, path: str, noCache: bool = False) -> File:
    if (machine := ctx.engine.machine(ctx.client)) is not None:
        return await nested.file(ctx, machine, path)
    found = ctx.engine.client_path(ctx.client, path)
    if not found.is_file():
        raise NotFound(f"stat {found.name}: no such file", reason="host-path-not-found", hint="check the path")
    return File(Ref(HostFile(str(found)), f"/{found.name}"))


@field("unixSocket")
async def unix_socket(ctx: Context, self: Host, *, path: str) -> Socket:
    return Socket(str(ctx.engine.client_path(ctx.client, path)))


@field("findUp")
async def find_up(ctx: Context, self: Host, *, name: str, noCache: bool = False) -> str | None:
    """The nearest file or directory of that name from the working directory upwards, relative to that."""
    if (machine := ctx.engine.machine(ctx.client)) is not None:
        return await nested.find_up(machine, name)
    current = ctx.engine.client_path(ctx.client, ".")
    for folder in (current, *current.parents):
        if (folder / name).exists():
            return os.path.relpath(folder / name, current)
    return None


@field("service")
async def service(ctx: Context, self: Host, *, ports: list[dict], host: str = "localhost") -> Service:  # type: ignore[type-arg]
    ctx.engine.need_machine(ctx.client, "its ports")
    if not ports:
        raise InvalidInput("no ports to forward", reason="no-ports", hint="name the ports of the machine")
    forwards = tuple(_forward(each) for each in ports)
    exposed = tuple(Port(each.frontend or each.backend, each.protocol) for each in forwards)
    return Service(host=host, forwards=forwards, ports=exposed)


@field("tunnel")
async def tunnel(
    ctx: Context,
    self: Host,
    *,
    service: Service,
    native: bool = False,
    ports: list[dict] | None = None,  # type: ignore[type-arg]
) -> Service:
    ctx.engine.need_machine(ctx.client, "its ports")
    given = tuple(_forward(each) for each in ports or ())
    forwards = given
    if native or not given:
        exposed = (PortForward(each.port, each.port if native else None, each.protocol) for each in service.ports)
        forwards = (*exposed, *given)
    if not forwards:
        raise InvalidInput(
            "no ports to forward: the service exposes none",
            reason="no-ports",
            hint="call withExposedPort, or name them",
        )
    return replace(Service(upstream=service, forwards=forwards), ports=service.ports)


def _forward(given: dict) -> PortForward:  # type: ignore[type-arg]
    return PortForward(given["backend"], given.get("frontend"), given.get("protocol") or "TCP")
