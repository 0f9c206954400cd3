"""The server: one port on the loopback and any number of given sockets, HTTP/1.1 and HTTP/2 on each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from sealane_engine.protocol.connection import Context, Sniffer
from sealane_engine.protocol.messages import Limits

if TYPE_CHECKING:
    import socket

    from sealane_engine.protocol.client import Client
    from sealane_engine.protocol.messages import Application

HOST = "127.0.0.1"
BACKLOG = 512


class Listener:
    """A listening socket with its connections."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self.server is not None
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    async def aclose(self) -> None:
        """Stop listening, close every connection, cancel what runs for them, and wait until it has ended."""
        if self.server is not None:
            self.server.close()
        for connection in tuple(self.context.connections):
            connection.close()
        tasks = self.context.tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class Server:
    """An async context manager that owns its listeners."""

    def __init__(self, application: Application, limits: Limits | None = None) -> None:
        self.application = application
        self.limits = limits or Limits()
        self.listeners: list[Listener] = []

    async def listen(self, port: int = 0) -> int:
        """Listen on a port of the loopback; answers which."""
        listener = Listener(Context(self.application, self.limits))
        loop = asyncio.get_running_loop()
        listener.server = await loop.create_server(
            lambda: Sniffer(listener.context), HOST, port, backlog=BACKLOG, reuse_address=True
        )
        self.listeners.append(listener)
        return listener.port

    async def adopt(self, listening: socket.socket, *, only: Client | None = None) -> Listener:
        """Serve on a socket that listens already, inside a sandbox for instance. With `only`, no other token is taken there."""
        listener = Listener(Context(self.application, self.limits, only))
        loop = asyncio.get_running_loop()
        listener.server = await loop.create_server(lambda: Sniffer(listener.context), sock=listening, backlog=BACKLOG)
        self.listeners.append(listener)
        return listener

    async def drop(self, listener: Listener) -> None:
        """End one listener."""
        self.listeners.remove(listener)
        await listener.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        while self.listeners:
            await self.listeners.pop().aclose()
