"""A secret as a value (never its plaintext), and the one table that holds plaintexts, in memory, for a session."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from secrets import token_hex

from sealane_engine.errors import EngineError, InvalidInput

MAX_BYTES = 128_000
MAX_PROVIDED_BYTES = 512_000
"""Of a secret by its URI, as with Dagger."""


@dataclass(frozen=True, slots=True)
class Secret:
    """`identity` stands for the plaintext in keys and ids: an HMAC under the store's key, or the caller's cache key.

    `handle` finds the plaintext in `Secrets`. `problem` is why there's none: as with Dagger, a secret that can't be read
    is an error for who uses it.
    """

    name: str
    identity: str
    handle: str
    uri: str = ""
    problem: EngineError | None = None


def split(uri: str) -> tuple[str, str]:
    """The scheme of a secret's URI, and what follows. Raises InvalidInput (`bad-secret-uri`, `secret-provider`)."""
    from sealane_engine.secrets.providers import known

    scheme, separator, rest = uri.partition("://")
    if not separator:
        raise InvalidInput(
            f"malformed id {uri[:3]!r}...: it is no secret's URI",
            reason="bad-secret-uri",
            hint="write it as env://NAME",
        )
    known(scheme)
    return scheme, rest


def identified(uri: str, *, handle: str = "", cache_key: str = "", problem: EngineError | None = None) -> Secret:
    """A secret by its URI: read (`handle`), or why it couldn't be."""
    identity = f"unread:{token_hex(16)}" if problem else f"cache-key:{cache_key}" if cache_key else handle
    return Secret(name="", identity=identity, handle=handle, uri=uri, problem=problem)


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
        """Raises what went wrong when the secret was read."""
        if secret.problem is not None:
            raise secret.problem.with_traceback(None)
        return self._plaintexts[secret.handle]

    async def from_uri(self, uri: str, cache_key: str = "") -> Secret:
        """Read a secret from its provider (see `providers`)."""
        from sealane_engine.secrets.providers import read

        scheme, rest = split(uri)
        try:
            handle = self.keep(uri, await read(scheme, rest), MAX_PROVIDED_BYTES)
        except EngineError as error:
            return identified(uri, problem=error)
        return identified(uri, handle=handle, cache_key=cache_key)
