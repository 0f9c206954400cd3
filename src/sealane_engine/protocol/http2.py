"""A connection that speaks HTTP/2 in clear text with prior knowledge, by h2: hundreds of requests side by side."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from h2.settings import SettingCodes

from sealane_engine.protocol.connection import Connection
from sealane_engine.protocol.messages import Head, Response, refused, split_target

if TYPE_CHECKING:
    from sealane_engine.protocol.client import Client
    from sealane_engine.protocol.connection import Context

WINDOW = 4 * 1024 * 1024
CONNECTION_WINDOW = 16 * 1024 * 1024


@dataclass(slots=True)
class Stream:
    """One request."""

    head: Head
    client: Client
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    task: asyncio.Task[None] | None = None


class Http2(Connection):
    """Streams by id; senders wait on `window` while a client doesn't take more."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.http = h2.connection.H2Connection(
            config=h2.config.H2Configuration(client_side=False, header_encoding="latin-1")
        )
        self.http.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: context.limits.streams,
                SettingCodes.INITIAL_WINDOW_SIZE: WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: context.limits.head,
            },
        )
        self.streams: dict[int, Stream] = {}
        self.window = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.http.initiate_connection()
        self.http.increment_flow_control_window(CONNECTION_WINDOW)
        self.flush()

    def flush(self) -> None:
        data = self.http.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        try:
            events = self.http.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.flush()
            self.transport.close()
            return
        for event in events:
            self.handle(event)
        self.flush()

    def handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self.begin(event)
        elif isinstance(event, h2.events.DataReceived):
            self.take(event)
        elif isinstance(event, h2.events.StreamEnded):
            stream = self.streams.get(event.stream_id or 0)
            if stream is not None and stream.task is None:
                stream.task = self.spawn(self.answer(event.stream_id or 0, stream))
        elif isinstance(event, h2.events.StreamReset):
            gone = self.streams.pop(event.stream_id or 0, None)
            if gone is not None and gone.task is not None:
                gone.task.cancel()
            self.wake()
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            self.wake()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.transport.close()

    def wake(self) -> None:
        """Let every sender look again at what it may send."""
        self.window.set()
        self.window = asyncio.Event()

    def begin(self, event: h2.events.RequestReceived) -> None:
        headers: dict[str, str] = {}
        for name, value in event.headers or ():
            key, text = as_text(name), as_text(value)
            headers[key] = f"{headers[key]}; {text}" if key == "cookie" and key in headers else text
        path, query = split_target(headers.get(":path", "/"))
        host = headers.get(":authority") or headers.get("host", "")
        head = Head(headers.get(":method", ""), path, query, host, headers)
        admitted = self.context.admit(head)
        if isinstance(admitted, Response):
            self.refuse(event.stream_id or 0, admitted)
        else:
            self.streams[event.stream_id or 0] = Stream(head, admitted)

    def take(self, event: h2.events.DataReceived) -> None:
        number = event.stream_id or 0
        self.http.acknowledge_received_data(event.flow_controlled_length or 0, number)
        stream = self.streams.get(number)
        if stream is None:
            return
        stream.size += len(event.data or b"")
        if stream.size > self.limits.body:
            self.refuse(number, refused(413, f"the body has more than {self.limits.body:,} bytes", "too-large"))
        else:
            stream.chunks.append(event.data or b"")

    def refuse(self, number: int, response: Response) -> None:
        """Answer without the body: refusals are small, they fit any window."""
        self.streams.pop(number, None)
        with suppress(h2.exceptions.ProtocolError):
            self.http.send_headers(number, [(":status", str(response.status)), *response.head()])
            self.http.send_data(number, response.body, end_stream=True)

    async def answer(self, number: int, stream: Stream) -> None:
        body, stream.chunks = b"".join(stream.chunks), []
        response = await self.context.respond(stream.client, stream.head, body)
        try:
            whole = response.stream is None
            empty = whole and not response.body
            self.http.send_headers(number, [(":status", str(response.status)), *response.head()], end_stream=empty)
            self.flush()
            if response.stream is not None:
                async with aclosing(response.stream) as pieces:
                    async for piece in pieces:
                        await self.send(number, piece)
                self.http.end_stream(number)
            elif response.body:
                await self.send(number, response.body, last=True)
            self.flush()
        except h2.exceptions.ProtocolError:  # the stream was closed meanwhile
            pass
        finally:
            self.streams.pop(number, None)

    async def send(self, number: int, data: bytes, *, last: bool = False) -> None:
        """Send as the client's windows allow."""
        rest = memoryview(data)
        while rest:
            window = self.window
            room = min(self.http.local_flow_control_window(number), self.http.max_outbound_frame_size)
            if room <= 0:
                await window.wait()
                continue
            piece, rest = rest[:room], rest[room:]
            self.http.send_data(number, bytes(piece), end_stream=last and not rest)
            self.flush()
            await self.drain()

    def close(self) -> None:
        with suppress(h2.exceptions.ProtocolError):
            self.http.close_connection()
        self.flush()
        self.transport.close()


def as_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
