"""`RUN --mount=…`: what is mounted for one command."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["bind", "cache", "tmpfs", "secret", "ssh"]
_KINDS: tuple[Kind, ...] = ("bind", "cache", "tmpfs", "secret", "ssh")
_NAMES = {
    "dst": "target", "destination": "target", "src": "source", "readonly": "readonly", "ro": "readonly",
    "readwrite": "readwrite", "rw": "readwrite",
}  # fmt: skip
_ALLOWED: dict[Kind, frozenset[str]] = {
    "bind": frozenset({"target", "source", "from", "readwrite", "readonly"}),
    "cache": frozenset({"target", "source", "from", "id", "sharing", "mode", "uid", "gid", "readonly", "readwrite"}),
    "tmpfs": frozenset({"target", "size"}),
    "secret": frozenset({"id", "target", "source", "required", "mode", "uid", "gid", "env"}),
    "ssh": frozenset({"id", "target", "required", "mode", "uid", "gid"}),
}
_SIZE = re.compile(r"(\d+)([bkmgt]?)b?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RunMount:
    """One mount. `target` is absolute or relative to the working directory; `from_` names a stage or an image.

    A secret has a target, an environment variable (`env`), or both. `size` in bytes.
    """

    kind: Kind
    target: str = ""
    source: str = ""
    from_: str = ""
    id: str = ""
    sharing: Literal["shared", "private", "locked"] = "shared"
    read_only: bool = False
    required: bool = False
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    env: str = ""


def source_of(text: str) -> str:
    """The stage or image that a mount as written comes from, or ""."""
    for field in next(csv.reader([text])):
        name, _, value = field.partition("=")
        if name.strip().lower() == "from":
            return value
    return ""


def parse(text: str, expand: Callable[[str], str]) -> RunMount:
    """Read the value of a `--mount`. Raises ValueError that says what is wrong with it."""
    fields: dict[str, str] = {}
    for field in next(csv.reader([text])):
        name, equals, value = field.partition("=")
        key = _NAMES.get(name.strip().lower(), name.strip().lower())
        if not equals and key not in ("readonly", "readwrite", "required"):
            raise ValueError(f"invalid field {field!r} must be a key=value pair")
        fields[key] = expand(value) if equals else "true"
    kind = fields.pop("type", "bind").lower()
    if kind not in _KINDS:
        raise ValueError(f"unsupported mount type {kind!r}")
    unknown = sorted(set(fields) - _ALLOWED[kind])
    if unknown:
        raise ValueError(f"unexpected key {unknown[0]!r} for mount type {kind!r}")
    return _mount(kind, fields)


def _mount(kind: Kind, fields: dict[str, str]) -> RunMount:
    target, env = fields.get("target", ""), fields.get("env", "")
    identity = fields.get("id", "") or (fields.get("source", "") if kind == "secret" else "")
    if kind == "secret":
        if not identity and not target and not env:
            raise ValueError("invalid secret mount: one of id, target or env is required")
        identity = identity or target.rpartition("/")[2] or env
        if not target and not env:
            target = f"/run/secrets/{identity.rpartition('/')[2]}"
    elif kind != "ssh" and not target:
        raise ValueError("target is required")
    sharing = fields.get("sharing", "shared").lower()
    if sharing not in ("shared", "private", "locked"):
        raise ValueError(f"unsupported sharing value {sharing!r}")
    read_only = _truth(fields.get("readonly", "true" if kind == "bind" else "false"))
    if "readwrite" in fields:
        read_only = not _truth(fields["readwrite"])
    return RunMount(
        kind,
        target,
        "" if kind == "secret" else fields.get("source", ""),
        fields.get("from", ""),
        identity if kind != "cache" else identity or target,
        sharing,  # type: ignore[arg-type]
        read_only,
        _truth(fields.get("required", "false")),
        _number(fields, "mode", 8),
        _number(fields, "uid"),
        _number(fields, "gid"),
        _bytes(fields["size"]) if "size" in fields else None,
        env,
    )


def _number(fields: dict[str, str], name: str, base: int = 10) -> int | None:
    text = fields.get(name)
    if text is None:
        return None
    try:
        return int(text, base)
    except ValueError:
        raise ValueError(f"invalid value {text} for {name}") from None


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(f"invalid value {text!r}: true or false is wanted")
    return text.lower() in ("true", "1")


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"invalid size {text!r}")
    return int(found[1]) << 10 * " kmgt".index(found[2].lower().replace("b", " ") or " ")
