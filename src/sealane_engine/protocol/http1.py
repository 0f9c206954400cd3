"""A connection that speaks HTTP/1.1, by h11: one request at a time, kept alive."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import h11

from sealane_engine.protocol.connection import Connection
from sealane_engine.protocol.messages import Head, Response, refused, split_target

if TYPE_CHECKING:
    from sealane_engine.protocol.client import Client
    from sealane_engine.protocol.connection import Context

LINGER_SECONDS = 2.0
REASONS = {200: b"OK", 204: b"No Content", 401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found"}


class Http1(Connection):
    """While a request runs, reading goes on: only so a client that goes away is noticed."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=context.limits.head)
        self.client: Client | None = None
        self.head: Head | None = None
        self.chunks: list[bytes] = []
        self.size = 0
        self.running: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.refusing = False

    def data_received(self, data: bytes) -> None:
        if self.refusing:
            return
        try:
            self.http.receive_data(data)
        except h11.RemoteProtocolError:  # something after "Connection: close"
            self.transport.close()
            return
        if self.running is None:
            self.advance()
        elif len(self.http.trailing_data[0]) > self.limits.pipelined:
            self.transport.abort()

    def advance(self) -> None:
        """Take what has arrived, up to the end of one request."""
        while self.running is None and not self.transport.is_closing():
            try:
                event = self.http.next_event()
            except h11.RemoteProtocolError as error:
                self.refuse(refused(error.error_status_hint, f"not a request: {error}", "bad-request"))
                return
            if event is h11.NEED_DATA:
                self.expect_more()
                return
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return
            if isinstance(event, h11.Request):
                self.begin(event)
            elif isinstance(event, h11.Data):
                self.size += len(event.data)
                if self.size > self.limits.body:
                    self.refuse(refused(413, f"the body has more than {self.limits.body:,} bytes", "too-large"))
                    return
                self.chunks.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self.calm()
                self.running = self.spawn(self.answer())

    def begin(self, event: h11.Request) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        path, query = split_target(event.target.decode("latin-1"))
        self.head = Head(event.method.decode("latin-1"), path, query, headers.get("host", ""), headers)
        self.chunks, self.size = [], 0
        admitted = self.context.admit(self.head)
        if isinstance(admitted, Response):
            self.refuse(admitted)
            return
        self.client = admitted
        if self.http.they_are_waiting_for_100_continue:
            self.transport.write(self.http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")

    def expect_more(self) -> None:
        """A request that has begun must be complete in time; an idle connection may stay idle."""
        begun = self.http.their_state is not h11.IDLE or self.http.trailing_data[0]
        if begun and self.timer is None:
            self.timer = self.loop.call_later(self.limits.incomplete_seconds, self.transport.abort)

    def calm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def refuse(self, response: Response) -> None:
        """Answer without having read the body, and close: what follows can't be told from the body."""
        self.calm()
        closing = Response(
            response.status, response.body, response.content_type, (*response.headers, ("connection", "close"))
        )
        if self.http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.write_whole(closing)
        if self.http.their_state in {h11.IDLE, h11.DONE} or not self.transport.can_write_eof():
            self.transport.close()
            return
        # Bytes that nobody reads make the kernel reset the connection, and the client may lose the answer: let it
        # finish, for a while.
        self.refusing = True
        self.transport.write_eof()
        self.timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def write_whole(self, response: Response) -> None:
        parts = [self.http.send(self.response_head(response))]
        if response.body and not (self.head and self.head.method == "HEAD"):
            parts.append(self.http.send(h11.Data(data=response.body)))
        parts.append(self.http.send(h11.EndOfMessage()))
        self.transport.write(b"".join(part for part in parts if part))

    def response_head(self, response: Response) -> h11.Response:
        return h11.Response(
            status_code=response.status, headers=response.head(), reason=REASONS.get(response.status, b"")
        )

    async def answer(self) -> None:
        assert self.client is not None
        assert self.head is not None
        body, self.chunks = b"".join(self.chunks), []
        response = await self.context.respond(self.client, self.head, body)
        if response.stream is None:
            self.write_whole(response)
        else:
            self.transport.write(self.http.send(self.response_head(response)) or b"")
            async with aclosing(response.stream) as pieces:
                async for piece in pieces:
                    self.transport.write(self.http.send(h11.Data(data=piece)) or b"")
                    await self.drain()
            self.transport.write(self.http.send(h11.EndOfMessage()) or b"")
        await self.drain()
        self.running = None
        if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
            self.http.start_next_cycle()
            self.advance()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.calm()
        super().connection_lost(exc)
