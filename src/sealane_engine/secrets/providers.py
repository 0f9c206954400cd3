"""Where a secret's plaintext comes from: one reader for each scheme of a secret's URI.

    env://NAME  file://PATH  cmd://SHELL LINE
    vault://path/to/secret.field                 HashiCorp Vault's key/value store, version 2, over its API
    op://vault/item/field                        1Password's `op`
    aws+sm://NAME  aws+ps://NAME                 `aws`: Secrets Manager, Parameter Store
    gcp://NAME  gcp://projects/P/secrets/NAME    `gcloud`: Secret Manager
    libsecret://COLLECTION/LABEL?attribute=value `secret-tool`: the desktop's keyring

The query's names are Dagger's (engine/client/secretprovider at v0.21.8). A vendor's login is what its own tool has.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.secrets.vault import read_vault

NOT_FOUND = "secret-not-found"
_WITHOUT_QUERY = frozenset({"env", "cmd", "file"})
_ITEM = re.compile(r"^\[(?P<path>/[^\]\n]+)\]\n(?P<text>.*?)(?=^\[/|\Z)", re.MULTILINE | re.DOTALL)
_KEPT = re.compile(
    r"^secret = (?P<secret>.*?)\n(?=created = |modified = |schema = |attribute\.)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Address:
    """A secret's URI without its scheme."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)


def known(scheme: str) -> None:
    """Raises InvalidInput (`secret-provider`) for a scheme that nobody reads."""
    if scheme not in _READERS:
        raise InvalidInput(
            f'unsupported secret provider: "{scheme}"',
            reason="secret-provider",
            hint=f"use one of {', '.join(sorted(_READERS))}",
        )


async def read(scheme: str, rest: str) -> bytes:
    """The plaintext that a URI names; `rest` is what follows `://`. Raises NotFound, InvalidInput."""
    known(scheme)
    reader = _READERS[scheme]
    if scheme in _WITHOUT_QUERY:
        return await reader(Address(rest))
    path, _, query = rest.partition("?")
    return await reader(Address(unquote(path), dict(parse_qsl(query, keep_blank_values=True))))


async def _env(address: Address) -> bytes:
    if (value := os.environb.get(os.fsencode(address.path))) is None:
        shown = address.path[:3] + "..." if len(address.path) > 3 else address.path  # it may be the secret itself
        raise NotFound(
            f'secret env var not found: "{shown}"',
            reason=NOT_FOUND,
            hint="set the variable where the pipeline is started",
        )
    return value


async def _file(address: Address) -> bytes:
    path = Path(address.path).expanduser()
    try:
        return await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise NotFound(
            f"secret file {str(path)!r} can't be read: {error.strerror}",
            reason=NOT_FOUND,
            hint="check the path and its permissions",
        ) from None


async def _cmd(address: Address) -> bytes:
    code, out, _ = await _run("sh", "-c", address.path)
    if code:
        raise NotFound(
            f"failed to run secret command: exit code {code}",
            reason=NOT_FOUND,
            hint="run the command by hand to see why",
        )
    return out


async def _vault(address: Address) -> bytes:
    return await read_vault(address.path)


async def _op(address: Address) -> bytes:
    query = "&".join(f"{name}={value}" for name, value in address.query.items() if name != "ttl")
    return await _ask("op", "read", "-n", f"op://{address.path}{'?' if query else ''}{query}")


async def _aws_secret(address: Address) -> bytes:
    version, stage = address.query.get("version"), address.query.get("stage")
    if version and stage:
        raise InvalidInput(
            f"aws+sm://{address.path} has both version and stage", reason="bad-secret-uri", hint="give one of them"
        )
    which = ("--version-id", version) if version else ("--version-stage", stage or "AWSCURRENT")
    said = await _aws(address, "secretsmanager", "get-secret-value", "--secret-id", address.path, *which)
    text, binary = said.get("SecretString"), said.get("SecretBinary")
    if text is None and binary is None:
        raise NotFound(f"secret {address.path!r} has no value", reason=NOT_FOUND, hint="put one in it")
    plaintext = str(text).encode() if text is not None else base64.b64decode(str(binary))
    name = address.query.get("field")
    return _member(plaintext, name, address.path) if name else plaintext


async def _aws_parameter(address: Address) -> bytes:
    name = f"/{address.path.lstrip('/')}"
    said = await _aws(address, "ssm", "get-parameter", "--name", name, "--with-decryption")
    value = (said.get("Parameter") or {}).get("Value")
    if value is None:
        raise NotFound(f"parameter {name!r} has no value", reason=NOT_FOUND, hint="put one in it")
    return str(value).encode()


async def _aws(address: Address, *args: str) -> dict[str, Any]:
    region = address.query.get("region") or os.environ.get("AWS_REGION")
    if not region:
        raise InvalidInput(
            "no AWS region is known", reason="secret-region", hint="set AWS_REGION, or add ?region=… to the URI"
        )
    return _object(await _ask("aws", *args, "--region", region, "--output", "json"), "aws")


def _member(data: bytes, name: str, secret: str) -> bytes:
    """A field of a secret that is a JSON object: text as it is, all else as JSON."""
    try:
        found = json.loads(data)[name]
    except (ValueError, LookupError, TypeError):
        raise NotFound(
            f"secret {secret!r} has no field {name!r}", reason=NOT_FOUND, hint="its value must be a JSON object"
        ) from None
    if found is None:
        return b""
    return found.encode() if isinstance(found, str) else json.dumps(found, separators=(",", ":")).encode()


async def _gcp(address: Address) -> bytes:
    project, name, version = _gcp_names(address.path)
    where = (f"--secret={name}", f"--project={project}", "--format=json")
    said = _object(await _ask("gcloud", "secrets", "versions", "access", version, *where), "gcloud")
    try:
        return base64.b64decode(str(said["payload"]["data"]).translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except (LookupError, TypeError, binascii.Error):
        raise NotFound(
            f"gcloud gave no data for secret {name!r}", reason=NOT_FOUND, hint="check its versions"
        ) from None


def _gcp_names(path: str) -> tuple[str, str, str]:
    """Project, secret and version of `NAME`, `NAME/versions/V` or `projects/P/secrets/NAME[/versions/V]`."""
    match path.split("/"):
        case ["projects", project, "secrets", name]:
            return project, name, "latest"
        case ["projects", project, "secrets", name, "versions", version]:
            return project, name, version
        case [name]:
            version = "latest"
        case [name, "versions", version]:
            pass
        case _:
            raise InvalidInput(
                f"gcp://{path} names no secret", reason="bad-secret-uri", hint="write gcp://NAME[/versions/VERSION]"
            )
    names = ("GCP_PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT")
    project = next((os.environ[each] for each in names if os.environ.get(each)), "")
    if not project:
        raise InvalidInput(
            f"no project is known for gcp://{path}", reason="secret-project", hint=f"set {names[0]}, or name it in full"
        )
    return project, name, version


async def _libsecret(address: Address) -> bytes:
    """`secret-tool` finds items by attributes alone; collection, label and item number choose among those."""
    collection, _, item = address.path.partition("/")
    if not address.query:
        raise InvalidInput(
            f"libsecret://{address.path} names no attribute",
            reason="bad-secret-uri",
            hint="add what the item is found by: libsecret://login/label?service=name",
        )
    pairs = [word for pair in address.query.items() for word in pair]
    out = (await _ask("secret-tool", "search", "--all", "--unlock", *pairs)).decode()
    found = []
    for match in _ITEM.finditer(out if out.endswith("\n") else out + "\n"):
        *_, owner, number = match["path"].split("/")
        label = next((line[8:] for line in match["text"].splitlines() if line.startswith("label = ")), "")
        secret = _KEPT.search(match["text"])
        if owner == collection and item in ("", number, label) and secret:
            found.append(secret["secret"])
    if len(found) != 1:
        raise NotFound(
            f"{len(found)} items of the keyring are libsecret://{address.path}",
            reason=NOT_FOUND,
            hint="name one: by its label, or by more attributes",
        )
    return found[0].encode()


def _object(text: bytes, tool: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotFound(f"{tool} did not answer with JSON", reason="secret-tool-failed", hint=f"update {tool}")
    return found


async def _ask(tool: str, *args: str) -> bytes:
    """What a vendor's tool prints."""
    if shutil.which(tool) is None:
        raise NotFound(
            f"{tool} is not installed", reason="secret-tool-missing", hint=f"install {tool} and log in with it"
        )
    code, out, said = await _run(tool, *args)
    if code:
        raise NotFound(
            f"{tool} exited with {code}: {said.decode(errors='replace').strip()[-500:]}",
            reason=NOT_FOUND,
            hint=f"check the name, and that {tool} is logged in",
        )
    return out


async def _run(*command: str) -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out, said


_READERS: dict[str, Callable[[Address], Awaitable[bytes]]] = {
    "env": _env,
    "file": _file,
    "cmd": _cmd,
    "vault": _vault,
    "op": _op,
    "aws+sm": _aws_secret,
    "aws+ps": _aws_parameter,
    "gcp": _gcp,
    "libsecret": _libsecret,
}
