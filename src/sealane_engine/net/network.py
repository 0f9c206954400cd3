"""The network of all steps of one engine: a router namespace, links into steps, names, tunnels.

Nothing starts before the first step is attached. Leaving the context ends processes, namespaces and tunnels; when the
engine is killed instead, the kernel does (see keeper.py).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sealane_engine.errors import ServiceError
from sealane_engine.net.addresses import Addresses, choose_subnet
from sealane_engine.net.forward import Forward
from sealane_engine.net.lookups import Lookups, host_resolvers
from sealane_engine.net.proxy import Acceptor, Connect
from sealane_engine.net.router import Keeper, Router
from sealane_engine.net.sockets import NamespaceThread, make_listener, make_socket
from sealane_engine.net.uplink import Uplink

if TYPE_CHECKING:
    from types import TracebackType

    from sealane_engine.events import Events

_RESOLV_CONF = Path("/etc/resolv.conf")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.1
_TRY_SECONDS = 2.0
_Port = tuple[int, str, int]
_OnClose = Callable[[Forward], Awaitable[None]]


class Network:
    """An async context manager. `pasta` names the uplink program; None does without."""

    def __init__(self, events: Events, *, pasta: str | None = "pasta", resolv_conf: Path = _RESOLV_CONF) -> None:
        self._events = events
        self._pasta = pasta
        self._resolv_conf = resolv_conf
        self._stack = AsyncExitStack()
        self._forwards: set[Forward] = set()
        self._addresses: Addresses | None = None
        self._thread = NamespaceThread()
        self._router: Router | None = None
        self._uplink: Uplink | None = None
        self._starting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._stack.callback(self._thread.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        try:
            await asyncio.gather(*(forward.aclose() for forward in tuple(self._forwards)))
        finally:
            await self._stack.aclose()

    # Addresses

    def address(self) -> str:
        """Reserve an address, as for a service before it starts. Give it back with `release`."""
        return str(self._pool().take())

    def release(self, address: str) -> None:
        self._pool().release(IPv4Address(address))

    def resolv_conf(self) -> bytes:
        """A step's /etc/resolv.conf: the router is its name server; search list and options are the host's."""
        resolvers = host_resolvers(self._resolv_conf)
        lines = [f"nameserver {self._pool().gateway}"]
        if resolvers.search:
            lines.append("search " + " ".join(resolvers.search))
        if resolvers.options:
            lines.append("options " + " ".join(resolvers.options))
        return "".join(line + "\n" for line in lines).encode()

    # Steps

    async def prepare(self) -> None:
        """Start router and uplink now. `attach` does it too; sooner hides the 0.1 s that it takes."""
        await self._ready()

    async def attach(self, pid: int, address: str | None = None) -> str:
        """Link the network namespace of `pid` to the router and configure it; answers its address.

        With no `address` a new one is taken, which the caller releases when the step has ended.
        Raises EngineError when the router can't be made, OSError when the namespace is gone.
        """
        router = await self._ready()
        given = self._pool().take() if address is None else IPv4Address(address)
        try:
            await router.attach(pid, given)
        except BaseException:
            if address is None:
                self._pool().release(given)
            raise
        return str(given)

    async def isolate(self, pid: int) -> None:
        """Give the network namespace of `pid` its own loopback, and no way out."""
        router = await self._ready()
        await router.isolate(pid)

    async def listen_inside(self, pid: int, host: str = "127.0.0.1", *, port: int = 0) -> socket.socket:
        """A listening TCP socket (port 0: any free one) inside the network namespace of `pid`, which is attached already."""
        await self._ready()
        return await self._thread.run_inside(pid, lambda _namespace: make_listener(host, port), _close)

    # Connections

    async def connect(self, address: str, port: int, *, udp: bool = False) -> socket.socket:
        """A socket that is connected to a step, from the router. Raises OSError as the system call does."""
        await self._ready()
        kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
        made = await self._thread.run(partial(make_socket, kind), _close)
        try:
            await asyncio.get_running_loop().sock_connect(made, (address, port))
        except BaseException:
            made.close()
            raise
        return made

    async def wait_listening(self, address: str, port: int, *, timeout: float | None = None) -> None:
        """Until a TCP connection to a step's port is accepted. Raises ServiceError after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                pause = _FIRST_PAUSE
                while not await self._answers(address, port):
                    # The kernel tells nobody outside that a port was opened, so we ask again, ever more rarely.
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, _LONGEST_PAUSE)
        except TimeoutError as error:
            raise ServiceError(
                f"nothing listens on {address}:{port} after {timeout:g} s", reason="health-timeout"
            ) from error

    async def _answers(self, address: str, port: int) -> bool:
        try:
            async with asyncio.timeout(_TRY_SECONDS):
                (await self.connect(address, port)).close()
        except OSError:  # TimeoutError is one
            return False
        return True

    # Tunnels

    async def expose_to_host(self, address: str, backend: int, *, host: str = "127.0.0.1", port: int = 0) -> Forward:
        """A port of the host (0: any free one) that leads to a step's port. Raises ServiceError if it is taken."""
        try:
            listener = make_listener(host, port)
        except OSError as error:
            raise ServiceError(
                f"port {port} of {host} can't be opened: {error.strerror}",
                reason="port-not-free",
                hint="choose another port, or none for any free one",
            ) from error

        async def connect(_connection: socket.socket) -> socket.socket:
            return await self.connect(address, backend)

        return self._opened(host, [(listener, connect)], self._forget)

    async def expose_host(self, ports: Sequence[_Port]) -> Forward:
        """An address in the steps' network whose ports lead to the client's host: (frontend, host, backend) each."""
        router = await self._ready()
        address = self._pool().take()

        async def close(forward: Forward) -> None:
            await self._forget(forward)
            await router.remove_address(address)
            self._pool().release(address)

        listeners: list[socket.socket] = []
        try:
            await router.add_address(address)
            for frontend, _host, _backend in ports:
                work = partial(make_listener, str(address), frontend)
                listeners.append(await self._thread.run(work, _close))
        except BaseException:
            for listener in listeners:
                listener.close()
            await router.remove_address(address)
            self._pool().release(address)
            raise
        connects = [partial(_connect_on_host, host, backend) for _frontend, host, backend in ports]
        return self._opened(str(address), list(zip(listeners, connects, strict=True)), close)

    def _opened(self, address: str, tunnels: list[tuple[socket.socket, Connect]], on_close: _OnClose) -> Forward:
        port = tunnels[0][0].getsockname()[1] if tunnels else 0
        forward = Forward(address, port, [Acceptor(listener, connect) for listener, connect in tunnels], on_close)
        self._forwards.add(forward)
        return forward

    async def _forget(self, forward: Forward) -> None:
        self._forwards.discard(forward)

    # Start

    def _pool(self) -> Addresses:
        if self._addresses is None:
            self._addresses = Addresses(_free_subnet(self._resolv_conf))
        return self._addresses

    async def _ready(self) -> Router:
        """The router, started once; a caller that is cancelled meanwhile doesn't stop the start for the others."""
        if self._router is not None and self._starting is not None and self._starting.done():
            return self._router
        if self._starting is None or (self._starting.done() and self._starting.exception() is not None):
            self._starting = asyncio.create_task(self._start())
        await asyncio.shield(self._starting)
        assert self._router is not None
        return self._router

    async def _start(self) -> None:
        async with AsyncExitStack() as stack:
            keeper = await Keeper.start()
            stack.push_async_callback(keeper.aclose)
            router = await Router.start(self._thread, keeper, self._pool())
            stack.callback(router.close)
            gateway = str(router.addresses.gateway)
            udp, tcp = await self._thread.run(partial(Lookups.sockets, gateway))
            lookups = Lookups(self._events, udp, tcp, self._resolv_conf)
            stack.push_async_callback(lookups.aclose)
            self._uplink = Uplink(self._events, router, keeper, pasta=self._pasta)
            stack.push_async_callback(self._uplink.aclose)
            await self._uplink.ensure()
            self._router = router
            self._stack.push_async_callback(stack.pop_all().aclose)


def _free_subnet(resolv_conf: Path) -> IPv4Network:
    from sealane_engine.linux import rtnetlink
    from sealane_engine.linux.netlink import Netlink

    with Netlink(socket.NETLINK_ROUTE) as netlink:
        used = [network for network, _link in rtnetlink.routes(netlink)]
    servers = (server for server in host_resolvers(resolv_conf).servers if ":" not in server)
    return choose_subnet(used, [IPv4Address(server) for server in servers])


def _close(made: socket.socket) -> None:
    made.close()


async def _connect_on_host(host: str, port: int, _connection: socket.socket) -> socket.socket:
    """By name or address, from the engine's own namespace."""
    loop = asyncio.get_running_loop()
    failed: OSError | None = None
    for family, kind, protocol, _name, where in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        made = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
        made.setblocking(False)
        try:
            await loop.sock_connect(made, where)
        except OSError as error:
            made.close()
            failed = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failed or OSError(f"{host} has no address")
