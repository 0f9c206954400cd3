"""The router: a network namespace with a bridge that every step's link is plugged into. The one netlink writer."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
import sys
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sealane_engine.errors import HostError

if TYPE_CHECKING:
    from sealane_engine.linux.netlink import Message, Netlink
    from sealane_engine.net.addresses import Addresses
    from sealane_engine.net.sockets import NamespaceThread

BRIDGE = "sealane0"
MTU = 65_520
"""What pasta's interface has: links in memory have no frame to fill, and large segments are cheap segments."""

_START_SECONDS = 10
_LINK_LOCAL = IPv4Network("169.254.0.0/16")


class Keeper:
    """The child process that holds the namespaces and runs the uplink program (see keeper.py)."""

    def __init__(self, process: asyncio.subprocess.Process, holder: int) -> None:
        self.holder = holder
        self.ended: asyncio.Queue[int] = asyncio.Queue()
        self.said = bytearray()
        self.alive = True
        self._process = process
        self._readers = (asyncio.create_task(self._read_answers()), asyncio.create_task(self._read_errors()))

    @classmethod
    async def start(cls) -> Self:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-S", str(Path(__file__).with_name("keeper.py"))),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            return cls(process, await asyncio.wait_for(_holder(process), _START_SECONDS))
        except BaseException:
            await _end(process)
            raise

    def run(self, line: bytes) -> None:
        """Start a program: a JSON list of arguments."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")

    async def aclose(self) -> None:
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await _end(self._process)

    async def _read_answers(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            word, _, rest = line.decode().strip().partition(" ")
            if word == "exit":
                self.ended.put_nowait(int(rest))
        self.alive = False
        self.ended.put_nowait(-9)

    async def _read_errors(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(4096):
            self.said += data
            del self.said[:-4096]


async def _holder(process: asyncio.subprocess.Process) -> int:
    """The process id that the keeper tells when the namespaces exist."""
    assert process.stdout is not None
    word, _, rest = (await process.stdout.readline()).decode().strip().partition(" ")
    if word != "holder":
        raise HostError(
            f"the router's network namespace can't be made ({rest or 'its process ended'})",
            reason="no-network-namespace",
            hint="see user.max_user_namespaces and user.max_net_namespaces in /proc/sys/user",
        )
    return int(rest)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its input, upon which it ends and takes everything with it; kill it if it does not."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), 2)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if not isinstance(error, TimeoutError):
            raise


class Router:
    """Bridge, addresses, links, translation. Everything that talks netlink runs on `thread`."""

    def __init__(self, thread: NamespaceThread, keeper: Keeper, addresses: Addresses, namespace: int) -> None:
        self.thread = thread
        self.keeper = keeper
        self.addresses = addresses
        self._namespace = namespace
        self._bridge = 0
        self._netlink: Netlink | None = None

    @classmethod
    async def start(cls, thread: NamespaceThread, keeper: Keeper, addresses: Addresses) -> Self:
        namespace = os.open(f"/proc/{keeper.holder}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        router = cls(thread, keeper, addresses, namespace)
        try:
            await thread.move(namespace)
            await thread.run(router._make_bridge)
        except BaseException:
            router.close()
            raise
        return router

    def close(self) -> None:
        if self._netlink is not None:
            self._netlink.close()
        os.close(self._namespace)

    async def attach(self, pid: int, address: IPv4Address) -> None:
        """Give the network namespace of `pid` a link to the bridge, with this address and a default route."""
        await self.thread.run_inside(pid, lambda namespace: self._attach(namespace, address))

    async def isolate(self, pid: int) -> None:
        await self.thread.run_inside(pid, _loopback)

    async def add_address(self, address: IPv4Address) -> None:
        """One more address of the router itself."""
        await self.thread.run(lambda: self._own_address(address, add=True))

    async def remove_address(self, address: IPv4Address) -> None:
        await self.thread.run(lambda: self._own_address(address, add=False))

    async def refuse(self, networks: list[IPv4Network]) -> None:
        """Steps get "host unreachable" for these; what is link-local may not be routed at all."""
        from sealane_engine.linux import rtnetlink

        await self._send([rtnetlink.unreachable(network) for network in (*networks, _LINK_LOCAL)])

    async def forward_from(self, link: str) -> None:
        """Let packets that come in by this link through, too."""
        from sealane_engine.linux import rtnetlink

        index = await self.thread.run(lambda: socket.if_nametoindex(link))
        await self._send([rtnetlink.forwarding(index)])

    async def _send(self, messages: list[Message]) -> None:
        netlink = self._netlink
        assert netlink is not None
        await self.thread.run(lambda: netlink.send(messages))

    def _make_bridge(self) -> None:
        from sealane_engine.linux import rtnetlink
        from sealane_engine.linux.netlink import Netlink

        netlink = self._netlink = Netlink(socket.NETLINK_ROUTE)
        gateway = self.addresses.gateway
        netlink.send([rtnetlink.bridge(BRIDGE, self.addresses.mac(gateway), MTU), rtnetlink.up(1)])
        self._bridge = index = socket.if_nametoindex(BRIDGE)
        netlink.send(
            [
                rtnetlink.no_ipv6(index),
                rtnetlink.up(index),
                rtnetlink.address(index, IPv4Interface((gateway, self.addresses.subnet.prefixlen))),
                rtnetlink.forwarding(index),
            ]
        )

    def _attach(self, namespace: int, address: IPv4Address) -> None:
        from sealane_engine.linux import rtnetlink
        from sealane_engine.linux.netlink import Netlink

        assert self._netlink is not None
        name = f"step{self.addresses.number(address)}"
        link = rtnetlink.veth(name, self._bridge, namespace, self.addresses.mac(address), MTU)
        try:
            self._netlink.send([link])
        except FileExistsError:
            # The former holder of the address has ended, its namespace is about to be taken down.
            with contextlib.suppress(OSError):
                self._netlink.send([rtnetlink.delete(name)])
            self._netlink.send([link])
        with Netlink(socket.NETLINK_ROUTE) as inside:
            index = socket.if_nametoindex("eth0")
            inside.send(
                [
                    rtnetlink.up(1),
                    rtnetlink.no_ipv6(index),
                    rtnetlink.up(index),
                    rtnetlink.address(index, IPv4Interface((address, self.addresses.subnet.prefixlen))),
                    rtnetlink.default_route(self.addresses.gateway),
                ]
            )

    def _own_address(self, address: IPv4Address, *, add: bool) -> None:
        from sealane_engine.linux import rtnetlink

        assert self._netlink is not None
        change = rtnetlink.address if add else rtnetlink.remove_address
        try:
            self._netlink.send([change(self._bridge, IPv4Interface((address, 32)))])
        except OSError as error:
            if add or error.errno != errno.EADDRNOTAVAIL:
                raise

    async def masquerade(self, uplink: str) -> None:
        """What steps send out by `uplink` gets that link's address: whoever is behind it knows one guest only.

        Nothing that arrives there is for the router itself. Debian 12's pasta sends packets without any flag, which
        connection tracking doesn't know; the router must not answer them with a reset.
        """
        from sealane_engine.linux import nftables as nft

        await self._rules(
            nft.chain("sealane", "out", "nat", nft.POSTROUTING, priority=100),
            nft.rule("sealane", "out", nft.comes_from(self.addresses.subnet), nft.not_out_by(BRIDGE), nft.masquerade()),
            nft.chain("sealane", "self", "filter", nft.INPUT, priority=0),
            nft.rule("sealane", "self", nft.comes_in_by(uplink), nft.drop()),
        )

    async def redirect(self, port: int) -> None:
        """Every TCP connection of a step to elsewhere comes to this port of the router instead."""
        from sealane_engine.linux import nftables as nft

        match = (nft.comes_in_by(BRIDGE), nft.is_tcp(), nft.not_to(self.addresses.subnet))
        await self._rules(
            nft.chain("sealane", "in", "nat", nft.PREROUTING, priority=-100),
            nft.rule("sealane", "in", *match, nft.redirect(port)),
        )

    async def _rules(self, *messages: Message) -> None:
        def send() -> None:
            from sealane_engine.linux import nftables
            from sealane_engine.linux.netlink import Netlink

            with Netlink(nftables.NETLINK_NETFILTER) as netlink:
                netlink.send(nftables.batch(nftables.table("sealane"), *messages))

        try:
            await self.thread.run(send)
        except OSError as error:
            raise HostError(
                f"the kernel refuses address translation in a namespace of ours ({error})",
                reason="no-address-translation",
                hint="load the kernel modules nf_tables and nft_chain_nat (modprobe nft_masq nft_redir)",
            ) from error


def original_destination(connection: socket.socket) -> tuple[str, int]:
    """Where a redirected connection wanted to go (SO_ORIGINAL_DST)."""
    _family, port, packed = struct.unpack_from("!HH4s", connection.getsockopt(socket.SOL_IP, 80, 16))
    return str(IPv4Address(packed)), port


def _loopback(_namespace: int) -> None:
    from sealane_engine.linux import rtnetlink
    from sealane_engine.linux.netlink import Netlink

    with Netlink(socket.NETLINK_ROUTE) as inside:
        inside.send([rtnetlink.up(1)])
