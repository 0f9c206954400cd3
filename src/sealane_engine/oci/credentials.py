"""Credentials for registries, from Docker's own configuration: `auths`, `credHelpers`, `credsStore`."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HELPER_SECONDS = 10
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and password; with `token` (an identity token) instead of a password, it is exchanged for an access token."""

    user: str
    password: str = field(repr=False, default="")
    token: str = field(repr=False, default="")


async def find(host: str, config: Path | None = None) -> Credentials | None:
    """What Docker would log in with; None when it has nothing (or a helper fails: the registry then says what it wants)."""
    path = config or Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        settings = json.loads(await asyncio.to_thread(path.read_bytes))
    except (OSError, ValueError):
        return None
    if not isinstance(settings, dict):
        return None
    keys = _HUB_KEYS if host == "docker.io" else (host, f"https://{host}", f"http://{host}")
    helpers = settings.get("credHelpers")
    for key in keys:
        helper = (helpers.get(key) if isinstance(helpers, dict) else None) or settings.get("credsStore")
        if isinstance(helper, str) and (found := await _ask(helper, key)):
            return found
        auths = settings.get("auths")
        if isinstance(auths, dict) and (found := _decode(auths.get(key))):
            return found
    return None


def _decode(entry: Any) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if isinstance(entry.get("auth"), str) and entry["auth"]:
        try:
            user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    token = str(entry.get("identitytoken") or "")
    return Credentials(user, password.rstrip("\0"), token) if user or token else None


async def _ask(helper: str, key: str) -> Credentials | None:
    """Run `docker-credential-HELPER get`."""
    command = shutil.which(f"docker-credential-{os.path.basename(helper)}")
    if command is None:
        return None
    process = await asyncio.create_subprocess_exec(
        command, "get", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(f"{key}\n".encode()), HELPER_SECONDS)
        answer = json.loads(output) if process.returncode == 0 else {}
    except (TimeoutError, ValueError):
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    user, secret = str(answer.get("Username") or ""), str(answer.get("Secret") or "")
    if not secret:
        return None
    return Credentials("", token=secret) if user == "<token>" else Credentials(user, secret)
