"""Who asks: clients by session token, and what each of their requests says about itself."""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field, replace
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

BAGGAGE_LIMIT = 8192
BAGGAGE_PAIRS = 64


@dataclass(frozen=True, slots=True)
class Client:
    """The holder of a session token. `extra` is for the rooms that serve it, and is shared by all its requests.

    A resolver gets a copy for each request, whose `labels` (W3C baggage), `traceparent` and `metadata` are the request's.
    """

    id: str
    token: str = field(repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    traceparent: str = field(default="", compare=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def for_request(self, headers: Mapping[str, str]) -> Client:
        """The client as one request presents it."""
        baggage = headers.get("baggage", "")
        metadata = headers.get("x-dagger-client-metadata", "")
        traceparent = headers.get("traceparent", "")
        if not (baggage or metadata or traceparent):
            return self
        return replace(
            self,
            labels={**self.labels, **parse_baggage(baggage)},
            traceparent=traceparent,
            metadata=parse_metadata(metadata),
        )


class Clients:
    """The table of tokens. Clients come and go while the server runs: a nested session has a token of its own."""

    def __init__(self) -> None:
        self._by_hash: dict[bytes, Client] = {}
        self._by_id: dict[str, Client] = {}

    def add(self, client: Client) -> Client:
        self._by_hash[sha256(client.token.encode()).digest()] = client
        self._by_id[client.id] = client
        return client

    def known(self, ident: str) -> Client:
        """Who has this id, or had it: what a client asked for may be evaluated when it has ended. A stranger, with
        nothing that is its own, if that was in another session.
        """
        return self._by_id.get(ident) or Client(ident, "")

    def remove(self, client: Client) -> None:
        """Its token is worth nothing from here on."""
        self._by_hash.pop(sha256(client.token.encode()).digest(), None)

    def find(self, token: str) -> Client | None:
        """Looked up by hash, so that time tells nothing about a token."""
        client = self._by_hash.get(sha256(token.encode()).digest())
        if client is not None and compare_digest(client.token.encode(), token.encode()):
            return client
        return None


def basic_token(authorization: str) -> str:
    """The user name of a Basic authorization; empty if there is none."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(rest.strip(), validate=True).decode().partition(":")[0]
    except (Base64Error, UnicodeDecodeError, ValueError):
        return ""


def parse_baggage(header: str) -> dict[str, str]:
    """W3C baggage: `key=value;property,key=value`. What isn't well-formed is left out."""
    found: dict[str, str] = {}
    if len(header) > BAGGAGE_LIMIT:
        return found
    for member in header.split(",")[:BAGGAGE_PAIRS]:
        key, equals, value = member.partition(";")[0].partition("=")
        if equals and key.strip():
            found[unquote(key.strip())] = unquote(value.strip())
    return found


def parse_metadata(header: str) -> dict[str, Any]:
    """What Dagger's CLI says about itself: base64 of a JSON object."""
    if not header:
        return {}
    try:
        found = json.loads(b64decode(header))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
