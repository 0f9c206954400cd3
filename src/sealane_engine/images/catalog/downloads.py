"""Fetch what a recipe takes from a package registry instead of Debian, checked against the digest in the recipe."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.errors import ImageError

if TYPE_CHECKING:
    from sealane_engine.images.catalog.recipe import Download

NPM = "https://registry.npmjs.org/"
MAX_BYTES = 64 << 20


async def fetch(wanted: Download) -> bytes:
    """The file's bytes. Raises ImageError when the registry doesn't give them, or gives others."""
    import httpx

    url = f"{_npm_registry().rstrip('/')}/{wanted.url}"
    data = bytearray()
    try:
        async with (
            httpx.AsyncClient(timeout=60, follow_redirects=True) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise _failed(url, f"answered {response.status_code}")
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise _failed(url, f"sends more than {MAX_BYTES} bytes")
    except httpx.HTTPError as error:
        raise _failed(url, str(error) or type(error).__name__) from error
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != wanted.sha512:
        raise ImageError(f"{url} is not the file it should be: its SHA-512 differs", reason="digest-mismatch")
    return bytes(data)


def _npm_registry() -> str:
    """The npm registry that this host uses."""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if value := os.environ.get(name):
            return value
    for file in (Path.home() / ".npmrc", Path("/etc/npmrc"), Path("/usr/etc/npmrc")):
        try:
            text = file.read_text()
        except OSError:
            continue
        if match := re.search(r"^\s*registry\s*=\s*(\S+)", text, re.MULTILINE):
            return match[1].strip("\"'")
    return NPM


def _failed(url: str, why: str) -> ImageError:
    return ImageError(f"{url} {why}", reason="download-failed", hint="check this machine's npm registry setting")
