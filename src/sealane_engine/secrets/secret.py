"""A secret as a value (never its plaintext), and the one table that holds plaintexts, in memory, for a session."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from sealane_engine.errors import InvalidInput

MAX_BYTES = 128_000
MAX_PROVIDED_BYTES = 512_000
"""Of a secret by its URI, as with Dagger."""


@dataclass(frozen=True, slots=True)
class Secret:
    """`identity` stands for the plaintext in keys and ids: an HMAC under the store's key, or the caller's cache key.

    `handle` finds the plaintext in `Secrets`.
    """

    name: str
    identity: str
    handle: str
    uri: str = ""


class Secrets:
    """The plaintexts of a session. `key` is the store's HMAC key (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._plaintexts: dict[str, bytes] = {}

    def mac(self, data: bytes) -> str:
        return "hmac:" + hmac.new(self._key, data, hashlib.sha256).hexdigest()

    def keep(self, name: str, plaintext: bytes, limit: int = MAX_BYTES) -> str:
        """Take a plaintext in; the answer is the handle that finds it again (the same for the same name and text)."""
        if len(plaintext) > limit:
            raise InvalidInput(
                f"secret {name!r} has {len(plaintext)} bytes, the limit is {limit}",
                reason="secret-too-large",
                hint="pass a file instead",
            )
        handle = self.mac(name.encode() + b"\0" + plaintext)
        self._plaintexts[handle] = plaintext
        return handle

    def every(self) -> tuple[bytes, ...]:
        """All plaintexts of the session."""
        return tuple(self._plaintexts.values())

    def reveal(self, secret: Secret) -> bytes:
        return self._plaintexts[secret.handle]

    async def from_uri(self, uri: str, cache_key: str = "") -> Secret:
        """Read a secret from its provider (see `providers`)."""
        from sealane_engine.secrets.providers import read

        scheme, separator, rest = uri.partition("://")
        if not separator:
            raise InvalidInput(
                f"{uri[:3]!r}... is no secret's URI", reason="bad-secret-uri", hint="write it as env://NAME"
            )
        plaintext = await read(scheme, rest)
        handle = self.keep(uri, plaintext, MAX_PROVIDED_BYTES)
        return Secret(name="", identity=f"cache-key:{cache_key}" if cache_key else handle, handle=handle, uri=uri)
