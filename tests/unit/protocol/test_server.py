"""The server: who is let in, both HTTP versions, broken requests, cancellation, streams."""

from __future__ import annotations

import asyncio
import json
import socket
from base64 import b64encode
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.events
import pytest

from sealane_engine.protocol.client import Client, Clients, parse_baggage
from sealane_engine.protocol.endpoint import Endpoint, Hooks
from sealane_engine.protocol.ids import IdTable
from sealane_engine.protocol.messages import Limits
from sealane_engine.protocol.schema import Schema
from sealane_engine.protocol.server import Server
from sealane_engine.protocol.sse import ServerEvent

from .fake import FakeResolver

SCHEMA = Schema.load()
LIMITS = Limits(body=200_000, incomplete_seconds=0.2)


class Recorder(Hooks):
    def __init__(self):
        self.received = []
        self.feeds = []
        self.told = []
        self.unsubscribed = 0

    def subscribe(self, client, signal, feed):
        self.feeds.append((client, signal, feed))

        def done():
            self.unsubscribed += 1

        return done

    async def receive(self, client, signal, content_type, body):
        self.received.append((client.id, signal, content_type, body))

    async def started(self, client):
        self.told.append(("started", client.id))

    async def ended(self, client):
        self.told.append(("ended", client.id))


class Session:
    def __init__(self):
        self.clients = Clients()
        self.client = self.clients.add(Client("main", "secret"))
        self.resolver = FakeResolver()
        self.hooks = Recorder()
        self.endpoint = Endpoint(
            clients=self.clients,
            resolver=self.resolver,
            ids=IdTable(),
            schema=lambda _: SCHEMA,
            hooks=self.hooks,
        )
        self.server = Server(self.endpoint, LIMITS)
        self.port = 0


@asynccontextmanager
async def serving():
    session = Session()
    async with session.server:
        session.port = await session.server.listen()
        yield session


def basic(token):
    return "Basic " + b64encode(f"{token}:".encode()).decode()


def head(method="POST", path="/query", length=0, **headers):
    named = {"host": "127.0.0.1:1", "authorization": basic("secret"), "content-length": str(length)}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in named.items() if value is not None]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


def query(document, **headers):
    body = json.dumps({"query": document}).encode()
    return head(length=len(body), **headers) + body


async def receive(reader):
    """One response: status, headers, body."""
    top = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, *lines = top.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(status.split()[1]), headers, body


async def once(session, request):
    reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(receive(reader), 5)
    finally:
        writer.close()
        await writer.wait_closed()


def run(test):
    return asyncio.run(asyncio.wait_for(test, 20))


def test_a_query_is_answered_and_the_connection_kept():
    async def main():
        async with serving() as session:
            reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
            for _ in range(3):
                writer.write(query("{version}"))
                status, headers, body = await receive(reader)
                assert (status, headers["content-type"], body) == (
                    200,
                    "application/json",
                    b'{"data":{"version":"value"}}',
                )
            writer.write(query("{version}") * 5)  # pipelined
            for _ in range(5):
                assert (await receive(reader))[0] == 200
            writer.close()
            await writer.wait_closed()

    run(main())


def test_a_request_may_arrive_byte_by_byte():
    async def main():
        async with serving() as session:
            reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
            for byte in query("{version}"):
                writer.write(bytes([byte]))
                await writer.drain()
            assert (await receive(reader))[0] == 200
            writer.close()
            await writer.wait_closed()

    run(main())


@pytest.mark.parametrize(
    ("request_bytes", "status", "reason"),
    [
        (query("{version}", authorization=None), 401, "unauthorized"),
        (query("{version}", authorization=basic("wrong")), 401, "unauthorized"),
        (query("{version}", authorization="Bearer secret"), 401, "unauthorized"),
        (query("{version}", authorization="Basic %%%"), 401, "unauthorized"),
        (head(path="/query?token=secret", authorization=None), 401, "unauthorized"),
        (query("{version}", origin="http://127.0.0.1:1"), 403, "browser"),
        (query("{version}", origin="null"), 403, "browser"),
        (query("{version}", host="evil.example:80"), 403, "wrong-host"),
        (query("{version}", host="127.0.0.1.evil.example"), 403, "wrong-host"),
        (head(path="/other"), 404, "not-found"),
        (head(method="GET"), 405, "bad-method"),
        (head(method="HEAD"), 405, None),
        (head(method="OPTIONS"), 405, "bad-method"),
        (head(length=3) + b"{a}", 400, "bad-request"),
        (head(length=2) + b"[]", 400, "bad-request"),
        (head(length=2) + b"{}", 400, "bad-request"),
        (head(length=2) + b"\xff\xff", 400, "bad-request"),
        (head(length=100_000) + b"[" * 100_000, 400, "bad-request"),
        (head(length=300_000) + b" " * 300_000, 413, "too-large"),
        (b"nonsense\r\n\r\n", 400, "bad-request"),
        (b"POST /query HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 100_000, 431, "bad-request"),
    ],
)
def test_what_is_refused_is_refused_in_json(request_bytes, status, reason):
    async def main():
        async with serving() as session:
            try:
                told, headers, body = await once(session, request_bytes)
            except asyncio.IncompleteReadError:
                assert reason is None
                return
            assert told == status
            assert json.loads(body)["errors"][0]["extensions"]["reason"] == reason
            assert ("www-authenticate" in headers) == (status == 401)
            assert b"secret" not in body
            assert session.resolver.asked == []

    run(main())


def test_half_a_request_is_cut_off():
    async def main():
        async with serving() as session:
            for part in (b"POST /query HT", head(length=10) + b"{"):
                reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
                writer.write(part)
                with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                    await asyncio.wait_for(receive(reader), 5)
                writer.close()

    run(main())


def test_hundreds_of_requests_run_at_once():
    async def main():
        async with serving() as session:
            session.resolver.hold = asyncio.Event()
            tasks = [asyncio.create_task(once(session, query("{version}"))) for _ in range(300)]
            await session.resolver.when(lambda: session.resolver.running >= 300)
            session.resolver.hold.set()
            assert {status for status, _, _ in await asyncio.gather(*tasks)} == {200}

    run(main())


def test_a_client_that_goes_away_cancels_what_runs_for_it():
    async def main():
        async with serving() as session:
            session.resolver.hold = asyncio.Event()
            _, writer = await asyncio.open_connection("127.0.0.1", session.port)
            writer.write(query("{container{a:stdout b:stderr}}"))
            await session.resolver.when(lambda: session.resolver.running >= 2)
            writer.close()
            await session.resolver.when(lambda: not session.resolver.running)
            assert session.resolver.cancelled == 2

    run(main())


def test_closing_the_server_cancels_and_waits():
    async def main():
        async with serving() as session:
            session.resolver.hold = asyncio.Event()
            _, writer = await asyncio.open_connection("127.0.0.1", session.port)
            writer.write(query("{version}"))
            await session.resolver.when(lambda: session.resolver.running > 0)
            await session.server.aclose()
            assert session.resolver.cancelled == 1
            writer.close()

    run(main())


def test_baggage_and_trace_reach_the_resolver():
    assert parse_baggage("sealane.stage=unit%20test;p=1, b = 2 ,bad,=x") == {"sealane.stage": "unit test", "b": "2"}

    async def main():
        async with serving() as session:
            seen = []
            session.resolver.answers["version"] = lambda client, _: seen.append(client) or "v"
            await once(session, query("{version}", baggage="sealane.stage=lint", traceparent="00-aa-bb-01"))
            assert (seen[0].labels, seen[0].traceparent) == ({"sealane.stage": "lint"}, "00-aa-bb-01")
            assert seen[0].extra is session.client.extra

    run(main())


def test_an_adopted_socket_takes_only_its_own_token():
    async def main():
        async with serving() as session:
            nested = session.clients.add(Client("nested", "inner"))
            listening = socket.create_server(("127.0.0.1", 0))
            port = listening.getsockname()[1]
            listener = await session.server.adopt(listening, only=nested)
            session.port, main_port = port, session.port
            assert (await once(session, query("{version}", authorization=basic("inner"))))[0] == 200
            assert (await once(session, query("{version}")))[0] == 401
            await session.server.drop(listener)
            with pytest.raises(OSError, match="Connect call failed"):
                await once(session, query("{version}"))
            session.port = main_port
            session.clients.remove(nested)
            assert (await once(session, query("{version}", authorization=basic("inner"))))[0] == 401

    run(main())


def test_telemetry_streams_end_at_shutdown_and_exports_are_handed_on():
    async def main():
        async with serving() as session:
            reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
            writer.write(head("GET", "/v1/traces", content_length=None))
            top = await reader.readuntil(b"\r\n\r\n")
            assert b"text/event-stream" in top
            assert b"event: subscribed\ndata: \n\n" in await reader.readuntil(b"\n\n\r\n")
            ((_, signal, feed),) = session.hooks.feeds
            assert signal == "traces"
            feed.put(ServerEvent("spans", '{"a":1}', "1"))
            assert b'id: 1\nevent: spans\ndata: {"a":1}\n\n' in await reader.readuntil(b"\n\n\r\n")
            assert (await once(session, head(path="/init")))[0] == 204
            export = head(path="/v1/logs", length=3, content_type="application/x-protobuf") + b"abc"
            assert (await once(session, export))[0] == 200
            assert (await once(session, head(path="/shutdown")))[0] == 204
            assert b"0\r\n\r\n" in await reader.readuntil(b"0\r\n\r\n")
            writer.close()
            assert session.hooks.unsubscribed == 1
            assert session.hooks.told == [("started", "main"), ("ended", "main")]
            assert session.hooks.received == [("main", "logs", "application/x-protobuf", b"abc")]

    run(main())


class Http2Client:
    """A client with prior knowledge, as Dagger's CLI is."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.http.initiate_connection()
        self.bodies, self.statuses, self.ended = {}, {}, set()

    async def flush(self):
        self.writer.write(self.http.data_to_send())
        await self.writer.drain()

    def send(self, path, body=b"", method="POST", authority="dagger", token="secret"):
        number = self.http.get_next_available_stream_id()
        headers = [(":method", method), (":path", path), (":scheme", "http"), (":authority", authority)]
        self.http.send_headers(number, [*headers, ("authorization", basic(token))], end_stream=not body)
        if body:
            self.http.send_data(number, body, end_stream=True)
        return number

    async def until(self, done):
        while not done():
            data = await self.reader.read(65536)
            assert data, "the server closed the connection"
            for event in self.http.receive_data(data):
                number = getattr(event, "stream_id", None)
                if isinstance(event, h2.events.ResponseReceived):
                    self.statuses[number] = int(dict(event.headers)[":status"])
                elif isinstance(event, h2.events.DataReceived):
                    self.bodies[number] = self.bodies.get(number, b"") + event.data
                    self.http.acknowledge_received_data(event.flow_controlled_length, number)
                elif isinstance(event, h2.events.StreamEnded):
                    self.ended.add(number)
            await self.flush()


@asynccontextmanager
async def http2(session):
    reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
    client = Http2Client(reader, writer)
    try:
        yield client
    finally:
        writer.close()
        await writer.wait_closed()


def test_http2_carries_hundreds_of_requests_on_one_connection():
    async def main():
        async with serving() as session, http2(session) as client:
            session.resolver.hold = asyncio.Event()
            body = json.dumps({"query": "{version}", "operationName": ""}).encode()
            sent = {client.send("/query", body) for _ in range(90)}
            await client.flush()
            await session.resolver.when(lambda: session.resolver.running >= 90)
            session.resolver.hold.set()
            await client.until(lambda: client.ended >= sent)
            assert {client.bodies[number] for number in sent} == {b'{"data":{"version":"value"}}'}

    run(main())


def test_http2_sends_large_answers_within_the_clients_windows():
    async def main():
        async with serving() as session, http2(session) as client:
            session.resolver.answers["version"] = "x" * 1_000_000
            number = client.send("/query", json.dumps({"query": "{version}"}).encode())
            await client.flush()
            await client.until(lambda: number in client.ended)
            assert len(json.loads(client.bodies[number])["data"]["version"]) == 1_000_000

    run(main())


def test_http2_refuses_and_cancels_as_http1_does():
    async def main():
        async with serving() as session, http2(session) as client:
            wrong = client.send("/query", b"{}", token="wrong")
            evil = client.send("/query", b"{}", authority="evil.example")
            none = client.send("/init")
            await client.flush()
            await client.until(lambda: client.ended >= {wrong, evil, none})
            assert [client.statuses[number] for number in (wrong, evil, none)] == [401, 403, 204]
            assert client.bodies.get(none, b"") == b""
            session.resolver.hold = asyncio.Event()
            running = client.send("/query", json.dumps({"query": "{version}"}).encode())
            await client.flush()
            await session.resolver.when(lambda: session.resolver.running > 0)
            client.http.reset_stream(running)
            await client.flush()
            await session.resolver.when(lambda: session.resolver.cancelled > 0)

    run(main())


def test_http2_streams_events():
    async def main():
        async with serving() as session, http2(session) as client:
            number = client.send("/v1/logs", method="GET")
            await client.flush()
            await client.until(lambda: b"subscribed" in client.bodies.get(number, b""))
            end = client.send("/shutdown")
            await client.flush()
            await client.until(lambda: client.ended >= {number, end})

    run(main())
