"""What connections of both HTTP versions hand to the application behind them, and get back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from sealane_engine.protocol.client import Client

JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection puts up with. A running request has no time limit; a request that isn't complete has."""

    body: int = 64 * 1024 * 1024
    head: int = 64 * 1024
    pipelined: int = 1024 * 1024
    streams: int = 1000
    incomplete_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body. Header names are in lower case; `host` is the Host header or :authority."""

    method: str
    path: str
    query: str
    host: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """`stream`, if there is one, is sent piece by piece instead of `body`."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    stream: AsyncGenerator[bytes, None] | None = field(default=None, compare=False)

    def head(self) -> list[tuple[str, str]]:
        """The headers, in lower case as HTTP/2 wants them."""
        found = list(self.headers)
        if self.stream is not None:
            found += [("content-type", self.content_type), ("cache-control", "no-cache")]
        elif self.status != 204:
            found += [("content-type", self.content_type), ("content-length", str(len(self.body)))]
        return found


class Application(Protocol):
    """Answers requests."""

    def admit(self, head: Head, only: Client | None) -> Client | Response:
        """Who asks, or the refusal; before a body is read. `only`: the one client that this listener is for."""
        ...

    async def respond(self, client: Client, head: Head, body: bytes) -> Response:
        """Answer. Cancelled when the requester goes away."""
        ...


def refused(status: int, message: str, reason: str, *headers: tuple[str, str]) -> Response:
    """An error that isn't a field's. It is JSON with `errors` all the same, for clients repeat a request otherwise."""
    return Response(
        status, encode({"errors": [{"message": message, "extensions": {"reason": reason}}]}), headers=headers
    )


def split_target(target: str) -> tuple[str, str]:
    """Path and query of a request target."""
    path, _, query = target.partition("?")
    return path, query


def encode(value: Any) -> bytes:
    """JSON, however deep: the standard encoder recurses and gives up at the interpreter's limit."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except RecursionError:
        return b"".join(encode_deep(value))


def encode_deep(value: Any) -> list[bytes]:
    """The pieces of the JSON of a value, with a stack of what remains to be written."""
    pieces: list[bytes] = []
    waiting: list[Any] = [value]
    while waiting:
        top = waiting.pop()
        if isinstance(top, bytes):
            pieces.append(top)
        elif isinstance(top, dict):
            parts: list[Any] = []
            for index, (key, item) in enumerate(top.items()):
                parts += [b"," if index else b"", json.dumps(key).encode() + b":", item]
            waiting += [b"}", *reversed(parts), b"{"]
        elif isinstance(top, (list, tuple)):
            parts = []
            for index, item in enumerate(top):
                parts += [b"," if index else b"", item]
            waiting += [b"]", *reversed(parts), b"["]
        else:
            pieces.append(json.dumps(top, allow_nan=False).encode())
    return pieces
