"""HashiCorp Vault: a field of a secret in its key/value store, by the variables that Vault's own tools read.

VAULT_ADDR  VAULT_NAMESPACE  VAULT_CACERT  VAULT_SKIP_VERIFY        the server
VAULT_TOKEN, or VAULT_APPROLE_ROLE_ID and VAULT_APPROLE_SECRET_ID   who asks (VAULT_APPROLE_MOUNT_PATH: approle)
VAULT_PATH_PREFIX                                                   where the store is mounted: secret
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sealane_engine.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import httpx

SECONDS = 30.0


async def read_vault(key: str) -> bytes:
    """`path/to/secret.field`; the field's value must be text. Raises NotFound, InvalidInput."""
    import httpx

    path, dot, name = key.partition(".")
    if not dot or not path or not name or "." in name:
        raise InvalidInput(
            f"vault://{key} names no field", reason="bad-secret-uri", hint="write vault://path/to/secret.field"
        )
    mount = os.environ.get("VAULT_PATH_PREFIX") or "secret"
    try:
        async with _client() as client:
            token = await _token(client)
            answer = await client.get(f"/v1/{quote(mount)}/data/{quote(path)}", headers={"X-Vault-Token": token})
    except httpx.HTTPError as error:
        raise NotFound(
            f"Vault can't be reached at {_address()}: {error}", reason="vault-unreachable", hint="check VAULT_ADDR"
        ) from None
    data = (_said(answer, f"path {path!r}").get("data") or {}).get("data") or {}
    value = data.get(name)
    if value is None:
        raise NotFound(
            f"Vault's {path!r} has no field {name!r}", reason="secret-not-found", hint="check the name after the dot"
        )
    if not isinstance(value, str):
        raise InvalidInput(f"Vault's {path!r}: {name!r} is not text", reason="secret-not-text", hint="store it as text")
    return value.encode()


def _address() -> str:
    return os.environ.get("VAULT_ADDR") or "https://127.0.0.1:8200"


def _client() -> httpx.AsyncClient:
    import httpx

    verify: ssl.SSLContext | bool = True
    if os.environ.get("VAULT_SKIP_VERIFY", "").lower() in ("1", "t", "true"):
        verify = False
    elif file := os.environ.get("VAULT_CACERT"):
        verify = ssl.create_default_context(cafile=file)
    space = os.environ.get("VAULT_NAMESPACE")
    headers = {"X-Vault-Request": "true", **({"X-Vault-Namespace": space} if space else {})}
    return httpx.AsyncClient(base_url=_address(), headers=headers, timeout=SECONDS, verify=verify)


async def _token(client: httpx.AsyncClient) -> str:
    role = os.environ.get("VAULT_APPROLE_ROLE_ID")
    if not role:
        if token := os.environ.get("VAULT_TOKEN"):
            return token
        raise InvalidInput(
            "no login for Vault",
            reason="vault-login",
            hint="set VAULT_TOKEN (`vault print token`), or VAULT_APPROLE_ROLE_ID and VAULT_APPROLE_SECRET_ID",
        )
    mount = os.environ.get("VAULT_APPROLE_MOUNT_PATH") or "approle"
    body = {"role_id": role, "secret_id": os.environ.get("VAULT_APPROLE_SECRET_ID", "")}
    said = _said(await client.post(f"/v1/auth/{quote(mount)}/login", json=body), "AppRole login")
    return str((said.get("auth") or {}).get("client_token", ""))


def _said(answer: httpx.Response, what: str) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    if answer.is_success:
        return body
    problem = "; ".join(map(str, body.get("errors") or ())) or f"HTTP status {answer.status_code}"
    raise NotFound(f"Vault refused {what}: {problem}", reason="secret-not-found", hint="check the path and the login")
