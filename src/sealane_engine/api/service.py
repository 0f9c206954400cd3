"""Service: start, stop, and where it is."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sealane_engine.api.container.execs import as_service
from sealane_engine.api.host import _forward
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Container, Port, PortForward, Service
from sealane_engine.errors import InvalidInput

container = Fields("Container")
field = Fields("Service")


@field("hostname")
async def hostname(ctx: Context, self: Service) -> str:
    return await ctx.engine.services.hostname(self, ctx.engine.solver, ctx.asker)


@field("withHostname")
async def with_hostname(ctx: Context, self: Service, *, hostname: str) -> Service:
    return replace(self, hostname=hostname)


@field("ports")
async def ports(ctx: Context, self: Service) -> list[Port]:
    """Of a tunnel: where it listens, which a port of its own choice is known of once it is open."""
    if self.upstream is None:
        return list(self.ports)
    numbers = await ctx.engine.services.ports(self, ctx.engine.solver, ctx.asker)
    return [Port(number, each.protocol) for number, each in zip(numbers, self.forwards, strict=True)]


@field("endpoint")
async def endpoint(ctx: Context, self: Service, *, port: int | None = None, scheme: str = "") -> str:
    host, number = await ctx.engine.services.endpoint(self, port, ctx.engine.solver, ctx.asker)
    return f"{scheme}://{host}:{number}" if scheme else f"{host}:{number}"


@field("start")
async def start(ctx: Context, self: Service) -> Any:
    await ctx.engine.services.start(self, ctx.engine.solver, ctx.asker)
    return ctx.call.receiver


@field("sync")
async def sync(ctx: Context, self: Service) -> Any:
    return await start(ctx, self)


@field("stop")
async def stop(ctx: Context, self: Service, *, kill: bool = False) -> Any:
    await ctx.engine.services.stop(self, ctx.engine.solver, ctx.asker, kill=kill)
    return ctx.call.receiver


@field("up")
async def up(ctx: Context, self: Service, *, ports: list[dict] | None = None, random: bool = False) -> None:  # type: ignore[type-arg]
    """Map the service's ports to the client's machine until the request is cancelled or the service ends."""
    ctx.engine.need_machine(ctx.client, "its ports")
    forwards = tuple(_forward(each) for each in ports or ())
    if not forwards:
        forwards = tuple(PortForward(each.port, None if random else each.port, each.protocol) for each in self.ports)
    if not forwards:
        raise InvalidInput(
            "the service exposes no port", reason="no-ports", hint="call withExposedPort on its container"
        )
    tunnel = Service(upstream=self, forwards=forwards, ports=self.ports)
    await ctx.engine.services.up(tunnel, ctx.engine.solver, ctx.asker)


@container("up")
async def container_up(
    ctx: Context,
    self: Container,
    *,
    random: bool = False,
    ports: list[dict] | None = None,  # type: ignore[type-arg]
    args: list[str] | None = None,
    useEntrypoint: bool = False,
    experimentalPrivilegedNesting: bool = False,
    insecureRootCapabilities: bool = False,
    expand: bool = False,
    noInit: bool = False,
) -> None:
    """`asService` and `up` in one."""
    service = await as_service(
        ctx,
        self,
        args=args,
        useEntrypoint=useEntrypoint,
        experimentalPrivilegedNesting=experimentalPrivilegedNesting,
        insecureRootCapabilities=insecureRootCapabilities,
        expand=expand,
        noInit=noInit,
    )
    await up(ctx, service, ports=ports, random=random)
