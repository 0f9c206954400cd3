"""How steps reach the world: by pasta, else by carrying their TCP connections ourselves.

pasta translates the router's packets to ordinary sockets of the host; it needs its program, /dev/net/tun and a default
route. Without it, the router redirects every TCP connection to a listener of ours that connects from the host: no
UDP, no ping, but no right on the host either, and neither way writes a setting or a firewall rule of the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Literal

from sealane_engine.errors import HostError
from sealane_engine.net.proxy import Acceptor
from sealane_engine.net.router import Keeper, Router, original_destination
from sealane_engine.net.sockets import make_listener, make_socket

if TYPE_CHECKING:
    from sealane_engine.events import Events
    from sealane_engine.linux.netlink import Netlink

_START_SECONDS = 5
_CONNECT_SECONDS = 30
_MOST_STARTS = 5
_LINK = "uplink0"
_FLAGS = (
    *("--foreground", "--quiet", "--ipv4-only", "--config-net", "--no-netns-quit"),
    # No port in either direction by itself, and the gateway's address is the gateway, not the host's loopback.
    *("--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none", "--no-map-gw"),
    *("--no-dhcp", "--no-ndp", "--no-dhcpv6", "--no-ra"),
)


class NoPasta(Exception):
    """Why pasta can't be the uplink here."""


class Uplink:
    """Started by `ensure`; when pasta ends, it is started again, a few times."""

    def __init__(self, events: Events, router: Router, keeper: Keeper, *, pasta: str | None = "pasta") -> None:
        self.kind = "none"
        self._events = events
        self._router = router
        self._keeper = keeper
        self._pasta = pasta
        self._starts = 0
        self._lock = asyncio.Lock()
        self._relay: Acceptor | None = None
        self._watch: asyncio.Task[None] | None = None
        self._guard: asyncio.Task[None] | None = None

    async def ensure(self) -> None:
        """Never raises for lack of an uplink: steps then have their services only, and a warning says so."""
        async with self._lock:
            if self.kind != "none" or self._starts >= _MOST_STARTS:
                return
            self._starts += 1
            try:
                await self._start_pasta()
            except NoPasta as reason:
                await self._start_relay(str(reason))

    async def aclose(self) -> None:
        tasks = [task for task in (self._watch, self._guard) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._relay is not None:
            await self._relay.aclose()

    async def _start_pasta(self) -> None:
        program = probe_pasta(self._pasta)
        thread = self._router.thread
        routes = await thread.run(partial(_listener, "route"), lambda netlink: netlink.close())
        try:
            namespaces = f"/proc/{self._keeper.holder}/ns"
            runas = ("--runas", f"{os.geteuid()}:{os.getegid()}")
            where = ("--userns", f"{namespaces}/user", "--netns", f"{namespaces}/net", "--ns-ifname", _LINK)
            self._keeper.run(json.dumps([program, *_FLAGS, *runas, *where]).encode())
            with contextlib.suppress(HostError):  # told below: without translation there is no uplink by pasta
                await self._router.masquerade(_LINK)
            await self._guard_host()
            await self._default_route(routes)
        finally:
            routes.close()
        await self._router.forward_from(_LINK)
        self.kind = "pasta"
        self._watch = asyncio.create_task(self._watch_pasta())

    async def _guard_host(self) -> None:
        """Refuse the host's own addresses, now and whenever it gets another one."""
        if self._guard is None:
            changes = _listener("address")
            self._guard = asyncio.create_task(self._follow_addresses(changes))
        await self._refuse_host()

    async def _refuse_host(self) -> None:
        await self._router.refuse([IPv4Network(address) for address in host_addresses()])

    async def _follow_addresses(self, changes: Netlink) -> None:
        with changes:
            while True:
                with contextlib.suppress(OSError):  # more changes than the socket holds: what counts is the state now
                    await asyncio.get_running_loop().sock_recv(changes.socket, 65_536)
                await self._refuse_host()

    async def _default_route(self, routes: Netlink) -> None:
        """Until pasta has set its route in the router's namespace, or has ended."""
        ended = asyncio.create_task(self._keeper.ended.get())
        ready = asyncio.create_task(_until_default_route(routes))
        try:
            await asyncio.wait((ended, ready), timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                return
            said = self._keeper.said.decode(errors="replace").strip().replace("\n", "; ")
            raise NoPasta(f"pasta {'ended' if ended.done() else 'did not answer'}: {said or 'it said nothing'}")
        finally:
            ended.cancel()
            ready.cancel()
            await asyncio.gather(ended, ready, return_exceptions=True)

    async def _watch_pasta(self) -> None:
        code = await self._keeper.ended.get()
        self.kind = "none"
        self._events.emit(
            "warning", message=f"pasta, the steps' way to the network, ended with code {code}", reason="uplink-ended"
        )
        if self._keeper.alive:
            await self.ensure()

    async def _start_relay(self, reason: str) -> None:
        gateway = str(self._router.addresses.gateway)
        try:
            listener = await self._router.thread.run(lambda: make_listener(gateway, 0), lambda made: made.close())
            try:
                await self._router.redirect(listener.getsockname()[1])
            except BaseException:
                listener.close()
                raise
        except (HostError, OSError) as error:
            message = f"steps have no network but their services: {reason}; and {error}"
            self._events.emit("warning", message=message, reason="no-uplink")
            return
        self._relay = Acceptor(listener, connect_from_host)
        self.kind = "relay"
        message = f"steps reach the network by TCP only, no UDP or ping: {reason}"
        self._events.emit("warning", message=message, reason="uplink-relay")


def probe_pasta(name: str | None) -> str:
    """The program's path. Raises NoPasta with what is missing."""
    program = shutil.which(name) if name else None
    if program is None:
        raise NoPasta("the program pasta is not installed (Debian package passt)")
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise NoPasta(f"/dev/net/tun can't be opened ({error.strerror})") from error
    return program


def host_addresses() -> list[IPv4Address]:
    """Addresses of the engine's own namespace but loopback's: a step may reach no service on them."""
    from sealane_engine.linux import rtnetlink
    from sealane_engine.linux.netlink import Netlink

    with Netlink(socket.NETLINK_ROUTE) as netlink:
        return [interface.ip for interface in rtnetlink.addresses(netlink) if not interface.ip.is_loopback]


def _listener(what: Literal["address", "route"]) -> Netlink:
    """Hears of changes in the namespace of the calling thread."""
    from sealane_engine.linux import rtnetlink
    from sealane_engine.linux.netlink import Netlink

    groups = rtnetlink.GROUP_IPV4_ADDRESS if what == "address" else rtnetlink.GROUP_IPV4_ROUTE
    netlink = Netlink(socket.NETLINK_ROUTE, groups=groups)
    netlink.socket.setblocking(False)
    return netlink


async def _until_default_route(netlink: Netlink) -> None:
    from sealane_engine.linux import rtnetlink
    from sealane_engine.linux.netlink import split

    loop = asyncio.get_running_loop()
    while True:
        for kind, _sequence, body in split(await loop.sock_recv(netlink.socket, 65_536)):
            route = rtnetlink.parse_route(body) if kind == rtnetlink.NEWROUTE else None
            if route is not None and route[0].prefixlen == 0:
                return


async def connect_from_host(connection: socket.socket) -> socket.socket:
    """Connect to where a redirected connection wanted to go; never to the host itself."""
    host, port = original_destination(connection)
    refuse_host(host)
    made = make_socket(socket.SOCK_STREAM)
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, (host, port)), _CONNECT_SECONDS)
    except BaseException:
        made.close()
        raise
    return made


def refuse_host(host: str) -> None:
    """Raises ConnectionRefusedError for an address of the host, and for one that no router may forward."""
    address = IPv4Address(host)
    local = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    if not local:
        # The kernel's own word: the source address for a destination of ours is that destination.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
            asking.connect((host, 9))
            local = asking.getsockname()[0] == host
    if local:
        raise ConnectionRefusedError(f"{host} is the host's own")
