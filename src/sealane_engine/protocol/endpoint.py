"""The paths of a session: who may use them, and what they do."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealane_engine.errors import EngineError
from sealane_engine.protocol.client import basic_token
from sealane_engine.protocol.failures import refusal
from sealane_engine.protocol.messages import Response, encode, refused
from sealane_engine.protocol.sse import Feed
from sealane_engine.protocol.walk import execute

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from sealane_engine.protocol.client import Client, Clients
    from sealane_engine.protocol.ids import IdTable
    from sealane_engine.protocol.messages import Head
    from sealane_engine.protocol.resolver import Resolver
    from sealane_engine.protocol.schema import Schema

HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "dagger"})
"""Names that a client may call us by. `dagger` is what Dagger's CLI says; any other is a browser's rebound name."""

SIGNALS = {f"/v1/{signal}": signal for signal in ("traces", "logs", "metrics")}
METHODS = {"/query": ("POST",), "/init": ("POST",), "/shutdown": ("POST",)} | dict.fromkeys(SIGNALS, ("GET", "POST"))


@dataclass(frozen=True, slots=True)
class Asked:
    """A module that a client's metadata ask for; without a reference, that of its working directory, if there is one."""

    ref: str
    entrypoint: bool


def asked_modules(metadata: Mapping[str, Any]) -> list[Asked]:
    """`extra_modules` and `load_workspace_modules` of Dagger's client metadata (`engine/opts.go`)."""
    extra = metadata.get("extra_modules")
    named = [each for each in extra if isinstance(each, dict)] if isinstance(extra, list) else []
    found = [Asked(str(each["ref"]), each.get("entrypoint") is True) for each in named if each.get("ref")]
    return [*found, Asked("", entrypoint=True)] if metadata.get("load_workspace_modules") is True else found


class Hooks:
    """What a session may want to know. Override what matters."""

    def subscribe(self, client: Client, signal: str, feed: Feed) -> Callable[[], None]:
        """A client wants `traces`, `logs` or `metrics`: put events into the feed until the answer is called."""
        del client, signal, feed
        return lambda: None

    async def receive(self, client: Client, signal: str, content_type: str, body: bytes) -> None:
        """A nested client exports telemetry (OTLP)."""

    async def started(self, client: Client) -> None:
        """The client said that it begins (`/init`); not every client does."""

    async def ended(self, client: Client) -> None:
        """The client said that it has ended (`/shutdown`)."""


class Endpoint:
    """The application behind the server. `schema` says what a client sees: the core, or the core and its modules."""

    def __init__(
        self,
        *,
        clients: Clients,
        resolver: Resolver,
        ids: IdTable,
        schema: Callable[[Client], Schema],
        hooks: Hooks | None = None,
    ) -> None:
        self.clients = clients
        self.resolver = resolver
        self.ids = ids
        self.schema = schema
        self.hooks = hooks or Hooks()
        self.feeds: dict[str, set[Feed]] = defaultdict(set)

    def admit(self, head: Head, only: Client | None) -> Client | Response:
        """Refuse browsers and strangers. The same words whether a token is missing or wrong."""
        if "origin" in head.headers:
            return refused(403, "a browser may not use this session", "browser")
        name = head.host.rpartition(":")[0] if head.host.rpartition(":")[2].isdigit() else head.host
        if name.lower() not in HOSTS:
            return refused(403, f"this is not the host {head.host[:100]!r}", "wrong-host")
        client = self.clients.find(basic_token(head.headers.get("authorization", "")))
        if client is None or (only is not None and only.id != client.id):
            return refused(
                401,
                "the session token is missing or wrong: send it as the user name of Basic authorization",
                "unauthorized",
                ("www-authenticate", 'Basic realm="session"'),
            )
        allowed = METHODS.get(head.path)
        if allowed is None:
            return refused(404, f"there is no {head.path[:100]!r} here", "not-found")
        if head.method not in allowed:
            return refused(
                405, f"{head.path} takes {' and '.join(allowed)}", "bad-method", ("allow", ", ".join(allowed))
            )
        return client

    async def respond(self, client: Client, head: Head, body: bytes) -> Response:
        client = client.for_request(head.headers)
        if head.path == "/query":
            return await self.query(client, body)
        if head.path == "/init":
            await self.hooks.started(client)
            return Response(204)
        if head.path == "/shutdown":
            for feed in self.feeds.pop(client.id, set()):
                feed.close()
            await self.hooks.ended(client)
            return Response(204)
        signal = SIGNALS[head.path]
        if head.method == "GET":
            return Response(200, content_type="text/event-stream", stream=self.events(client, signal))
        content_type = head.headers.get("content-type", "application/x-protobuf")
        await self.hooks.receive(client, signal, content_type, body)
        return Response(200, b"{}" if "json" in content_type else b"", content_type)

    async def query(self, client: Client, body: bytes) -> Response:
        try:
            source, operation, variables = parse_request(body)
        except EngineError as error:
            return Response(400, encode(refusal(error)))
        failed = await self.serve_asked(client)
        answer = failed or await self.execute(client, source, operation, variables)
        return Response(200, answer if isinstance(answer, bytes) else encode(answer))

    async def execute(
        self, client: Client, source: str, operation: str | None = None, variables: Mapping[str, Any] | None = None
    ) -> Any:
        return await execute(
            source,
            operation,
            variables or {},
            schema=self.schema(client),
            resolver=self.resolver,
            client=client,
            ids=self.ids,
        )

    async def serve_asked(self, client: Client) -> Any:
        """Serve the modules that a client's metadata name (Dagger's CLI sends them), each once. Answers with what went
        wrong, for that is the answer to all it asks until the module is mended.
        """
        wanted = asked_modules(client.metadata)
        if not wanted:
            return None
        there: set[Asked] = client.extra.setdefault("asked", set())
        async with client.extra.setdefault("asking", asyncio.Lock()):
            for each in wanted:
                if each in there:
                    continue
                source = f"moduleSource(refString:{json.dumps(each.ref or '.')})"
                if not each.ref:
                    found = await self.execute(client, f"{{{source}{{configExists}}}}")
                    if not (found.get("data") or {}).get("moduleSource", {}).get("configExists"):
                        continue
                entrypoint = str(each.entrypoint).lower()
                found = await self.execute(client, f"{{{source}{{asModule{{serve(entrypoint:{entrypoint})}}}}}}")
                if found.get("errors"):
                    return found
                there.add(each)
        return None

    async def events(self, client: Client, signal: str) -> AsyncGenerator[bytes, None]:
        """The stream of one subscriber, until it goes away or says that it has ended."""
        feed = Feed()
        self.feeds[client.id].add(feed)
        unsubscribe = self.hooks.subscribe(client, signal, feed)
        try:
            async for piece in feed:
                yield piece
        finally:
            unsubscribe()
            self.feeds[client.id].discard(feed)


def parse_request(body: bytes) -> tuple[str, str | None, Mapping[str, Any]]:
    """Document, operation name and variables of a request's JSON."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EngineError(f"the body is not JSON: {error}", reason="bad-request") from error
    if not isinstance(request, dict):
        raise EngineError("the body must be a JSON object with a `query`", reason="bad-request")
    source, operation, variables = request.get("query"), request.get("operationName"), request.get("variables")
    if not isinstance(source, str):
        raise EngineError("the body has no `query`", reason="bad-request")
    if not (operation is None or isinstance(operation, str)):
        raise EngineError("`operationName` must be a string", reason="bad-request")
    if not (variables is None or isinstance(variables, dict)):
        raise EngineError("`variables` must be an object", reason="bad-request")
    return source, operation, variables or {}
