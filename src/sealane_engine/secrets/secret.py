"""A secret as a value (never its plaintext), and the one table that holds plaintexts, in memory, for a session."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from sealane_engine.errors import InvalidInput, NotFound

MAX_BYTES = 128_000


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

    def keep(self, name: str, plaintext: bytes) -> str:
        """Take a plaintext in; the answer is the handle that finds it again (the same for the same name and text)."""
        if len(plaintext) > MAX_BYTES:
            raise InvalidInput(
                f"secret {name!r} has {len(plaintext)} bytes, the limit is {MAX_BYTES}",
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
        """Read a secret from a provider: env, file, cmd."""
        scheme, separator, rest = uri.partition("://")
        if not separator:
            scheme, _, rest = uri.partition(":")
        rest, _, query = rest.partition("?") if scheme in ("env", "file") else (rest, "", "")
        cache_key = cache_key or (parse_qs(query).get("cacheKey") or [""])[0]
        plaintext = await _read(scheme, rest)
        handle = self.keep(uri, plaintext)
        return Secret(name="", identity=f"cache-key:{cache_key}" if cache_key else handle, handle=handle, uri=uri)


async def _read(scheme: str, rest: str) -> bytes:
    match scheme:
        case "env":
            if (value := os.environb.get(os.fsencode(rest))) is None:
                raise NotFound(
                    f'secret env var not found: "{rest[:3]}..."',
                    reason="secret-not-found",
                    hint="set the variable where the pipeline is started",
                )
            return value
        case "file":
            path = Path(rest).expanduser()
            try:
                return await asyncio.to_thread(path.read_bytes)
            except OSError as error:
                raise NotFound(
                    f"secret file {str(path)!r} can't be read: {error.strerror}",
                    reason="secret-not-found",
                    hint="check the path and its permissions",
                ) from None
        case "cmd":
            done = await asyncio.to_thread(subprocess.run, ["sh", "-c", rest], capture_output=True, check=False)
            if done.returncode:
                raise NotFound(
                    f"secret command failed with exit code {done.returncode}",
                    reason="secret-not-found",
                    hint="run the command by hand to see why",
                )
            return done.stdout
    raise InvalidInput(
        f'unsupported secret provider: "{scheme}"', reason="secret-provider", hint="use env://, file:// or cmd://"
    )
