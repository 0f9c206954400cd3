"""How registries are reached when it isn't by HTTPS at their own address: mirrors, plain HTTP, certificates.

Read from `registries` of Dagger's engine configuration (`~/.config/dagger/engine.json`), so that both engines agree:
host → `mirrors` (asked first, in order; a path may follow the host), `http`, `insecure`, `ca` (files).
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane_engine.errors import InvalidInput

_KEYS: dict[str, type] = {"mirrors": list, "http": bool, "insecure": bool, "ca": list}


@dataclass(frozen=True, slots=True)
class Host:
    """One registry. `insecure` takes any certificate, `ca` are files with authorities beside the machine's own."""

    mirrors: tuple[str, ...] = ()
    http: bool = False
    insecure: bool = False
    ca: tuple[str, ...] = ()

    def context(self) -> ssl.SSLContext:
        """Raises InvalidInput (`bad-engine-config`) for authorities that can't be read."""
        made = ssl.create_default_context()  # the machine's own trust, not a list that a package brings
        for file in self.ca:
            try:
                made.load_verify_locations(file)
            except (OSError, ssl.SSLError) as error:
                raise _bad(file, f"no certificates: {error}") from None
        if self.insecure:
            made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
        return made


def default_path(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "dagger/engine.json"


def read(path: Path) -> dict[str, Host]:
    """The registries that a file says something about; none without the file. Raises InvalidInput (`bad-engine-config`)."""
    try:
        table = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _bad(path, f"it is no JSON: {error}") from None
    registries = table.get("registries", {}) if isinstance(table, dict) else None
    if not isinstance(registries, dict):
        raise _bad(path, "`registries` is no object")
    return {name: _host(path, name, each) for name, each in registries.items()}


def _host(path: Path, name: str, given: Any) -> Host:
    where = f"registries.{name}"
    if not isinstance(given, dict):
        raise _bad(path, f"`{where}` is no object")
    for key, value in given.items():
        kind = _KEYS.get(key)
        if kind is None:
            raise _bad(path, f"`{where}.{key}` is unknown; known are {', '.join(_KEYS)}")
        texts = all(isinstance(each, str) for each in value) if isinstance(value, list) else True
        if value is not None and not (isinstance(value, kind) and texts):
            raise _bad(path, f"`{where}.{key}` is {value!r}")
    return Host(
        tuple(given.get("mirrors") or ()),
        bool(given.get("http")),
        bool(given.get("insecure")),
        tuple(given.get("ca") or ()),
    )


def _bad(path: Path | str, what: str) -> InvalidInput:
    return InvalidInput(f"{path}: {what}", reason="bad-engine-config", hint="mend the file, or take the entry out")
