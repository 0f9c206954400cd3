"""Names for steps: a forwarder on the router's address that asks the host's resolvers and tells which names were asked.

It asks from the host's own namespace, so a resolver on the host's loopback (systemd-resolved's 127.0.0.53) works, and
steps need no way to it. Steps have no IPv6, so a question for an IPv6 address is answered with "none" here.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealane_engine.net.sockets import make_listener

if TYPE_CHECKING:
    from pathlib import Path

    from sealane_engine.events import Events

PORT = 53
_HEADER = struct.Struct("!HHHHHH")
_TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 65: "HTTPS"}
_AAAA = 28
_SERVER_FAILURE = 2
_ATTEMPT_SECONDS = 4
_ATTEMPTS = 2
_MOST_AT_ONCE = 512

Ask = Callable[[str, bytes], Coroutine[Any, Any, bytes]]
"""Send a query to a server and await its answer."""


@dataclass(frozen=True, slots=True)
class Resolvers:
    """What the host's resolv.conf says."""

    servers: tuple[str, ...]
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Resolvers:
        servers: list[str] = []
        search: tuple[str, ...] = ()
        options: list[str] = []
        for line in text.splitlines():
            word, *rest = line.split("#")[0].split(";")[0].split() or [""]
            if word == "nameserver" and rest:
                servers.append(rest[0])
            elif word in ("search", "domain"):
                search = tuple(rest)
            elif word == "options":
                options += rest
        return cls(tuple(servers) or ("127.0.0.1",), search, tuple(options))


@dataclass(frozen=True, slots=True)
class Question:
    """The first question of a query: its name in lower case, without the last dot, and its type."""

    name: str
    type: int
    end: int

    @classmethod
    def parse(cls, query: bytes) -> Question | None:
        """None if this is no query that can be read."""
        if len(query) < _HEADER.size or query[2] & 0x80:
            return None
        labels = []
        at = _HEADER.size
        while at < len(query) and query[at]:
            length = query[at]
            if length > 63:
                return None
            labels.append(query[at + 1 : at + 1 + length].decode("latin-1"))
            at += 1 + length
        if at + 5 > len(query):
            return None
        return cls(".".join(labels).lower(), int.from_bytes(query[at + 1 : at + 3]), at + 5)


def answer(query: bytes, question: Question, code: int = 0) -> bytes:
    """An answer with nothing in it: no such record, or with `code` an error."""
    number, flags = struct.unpack_from("!HH", query)
    return _HEADER.pack(number, 0x8080 | (flags & 0x7910) | code, 1, 0, 0, 0) + query[_HEADER.size : question.end]


class Lookups:
    """The forwarder. `udp` and `tcp` are bound inside the router's namespace; questions go on from the host's."""

    def __init__(self, events: Events, udp: socket.socket, tcp: socket.socket, resolv_conf: Path) -> None:
        self._events = events
        self._udp = udp
        self._tcp = tcp
        self._resolv_conf = resolv_conf
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving = (asyncio.create_task(self._serve_udp()), asyncio.create_task(self._serve_tcp()))

    @staticmethod
    def sockets(host: str, port: int = PORT) -> tuple[socket.socket, socket.socket]:
        udp = make_listener(host, port, socket.SOCK_DGRAM)
        try:
            return udp, make_listener(host, udp.getsockname()[1])
        except BaseException:
            udp.close()
            raise

    async def aclose(self) -> None:
        tasks = (*self._serving, *self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._udp.close()
        self._tcp.close()

    async def _serve_udp(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                query, peer = await loop.sock_recvfrom(self._udp, 65_535)
            except OSError:
                continue  # an answer of ours came back undeliverable
            if len(self._tasks) < _MOST_AT_ONCE:
                self._spawn(self._answer_udp(query, peer))

    async def _serve_tcp(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(self._tcp)
            except ConnectionError:
                continue
            self._spawn(self._answer_tcp(connection, peer))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_udp(self, query: bytes, peer: tuple[str, int]) -> None:
        reply = await self._resolve(query, peer[0], _ask_udp)
        if reply is not None:
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_sendto(self._udp, reply, peer)

    async def _answer_tcp(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        connection.setblocking(False)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            reader, writer = await asyncio.open_connection(sock=connection)
            try:
                while True:
                    size = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), 30))
                    query = await asyncio.wait_for(reader.readexactly(size), 5)
                    reply = await self._resolve(query, peer[0], _ask_tcp)
                    if reply is None:
                        return
                    writer.write(len(reply).to_bytes(2) + reply)
                    await writer.drain()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _resolve(self, query: bytes, step: str, ask: Ask) -> bytes | None:
        question = Question.parse(query)
        if question is None:
            return None
        kind = _TYPES.get(question.type, str(question.type))
        self._events.emit("lookup", name=question.name, type=kind, address=step)
        if question.type == _AAAA:
            return answer(query, question)
        # An id of ours, and with UDP a new port each time: a forged answer must guess both.
        asked = secrets.token_bytes(2) + query[2:]
        for _ in range(_ATTEMPTS):
            for server in host_resolvers(self._resolv_conf).servers:
                with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                    reply = await asyncio.wait_for(ask(server, asked), _ATTEMPT_SECONDS)
                    return query[:2] + reply[2:]
        return answer(query, question, _SERVER_FAILURE)


def host_resolvers(path: Path) -> Resolvers:
    """Read anew each time: a laptop changes its network while the engine runs."""
    try:
        return Resolvers.parse(path.read_text(errors="replace"))
    except OSError:
        return Resolvers.parse("")


def _family(server: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in server else socket.AF_INET


def _address(server: str) -> tuple[str, int] | tuple[str, int, int, int]:
    """With the link of an IPv6 address (fe80::1%eth0) as a number."""
    host, _, link = server.partition("%")
    if ":" not in host:
        return host, PORT
    return host, PORT, 0, socket.if_nametoindex(link) if link else 0


async def _ask_udp(server: str, query: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(_family(server), socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
        asking.setblocking(False)
        asking.connect(_address(server))
        await loop.sock_sendall(asking, query)
        while True:
            reply = await loop.sock_recv(asking, 65_535)
            if reply[:2] == query[:2] and len(reply) >= _HEADER.size:
                return reply


async def _ask_tcp(server: str, query: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server, PORT)
    try:
        writer.write(len(query).to_bytes(2) + query)
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
    finally:
        writer.close()
