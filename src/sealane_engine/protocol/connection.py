"""What connections of both HTTP versions share: their tasks, back pressure, and which version a client speaks."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from sealane_engine.protocol.messages import Response, refused

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sealane_engine.protocol.client import Client
    from sealane_engine.protocol.messages import Application, Head, Limits

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
log = logging.getLogger("sealane_engine.protocol")


@dataclass(slots=True)
class Context:
    """What connections of one listener have in common. `only`: the one client that may use it."""

    application: Application
    limits: Limits
    only: Client | None = None
    connections: set[Connection] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def admit(self, head: Head) -> Client | Response:
        return self.application.admit(head, self.only)

    async def respond(self, client: Client, head: Head, body: bytes) -> Response:
        """The application's answer; a defect of ours becomes an answer too."""
        try:
            return await self.application.respond(client, head, body)
        except Exception as error:
            log.exception("internal error in %s %s", head.method, head.path)
            return refused(500, f"internal error: {type(error).__name__}: {error}", "internal-error")


class Connection(asyncio.Protocol):
    """A connection, and the requests that run for it: they are cancelled when it is lost."""

    transport: asyncio.Transport

    def __init__(self, context: Context) -> None:
        self.context = context
        self.limits = context.limits
        self.loop = asyncio.get_running_loop()
        self.tasks: set[asyncio.Task[None]] = set()
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.context.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.context.connections.discard(self)
        self.writable.set()
        for task in tuple(self.tasks):
            task.cancel()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    async def drain(self) -> None:
        """Wait until the client has read enough."""
        if not self.writable.is_set():
            await self.writable.wait()

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        for tasks in (self.tasks, self.context.tasks):
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        task.add_done_callback(self.ended)
        return task

    def ended(self, task: asyncio.Task[None]) -> None:
        """A request's task ends well, or cancelled. Anything else ends the connection too."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("internal error in a connection", exc_info=error)
            self.transport.abort()

    def close(self) -> None:
        self.transport.close()


class Sniffer(Connection):
    """Waits for the first bytes of a connection, and hands it to the protocol that they belong to."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.seen = b""

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if len(self.seen) < len(PREFACE) and PREFACE.startswith(self.seen):
            return
        protocol: Connection
        if self.seen.startswith(PREFACE):
            from sealane_engine.protocol.http2 import Http2

            protocol = Http2(self.context)
        else:
            from sealane_engine.protocol.http1 import Http1

            protocol = Http1(self.context)
        self.context.connections.discard(self)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(self.seen)
