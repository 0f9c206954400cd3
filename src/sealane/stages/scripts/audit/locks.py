"""Reads which versions a project pins: requirement files of pip, and package-lock.json of npm."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

_INCLUDE = re.compile(r"^(?:-r|--requirement|-c|--constraint)[\s=]+(\S+)")
_LOCAL = re.compile(r"^(?:\.{0,2}/|\.$|\.\[|file:)")


class BadLockError(ValueError):
    """A file that can't be read as what its name says."""


@dataclass(frozen=True)
class Package:
    """One package that a file names, pinned when `version` is not empty."""

    ecosystem: str
    name: str
    version: str
    file: str
    line: int


def read(root: Path, names: list[str]) -> list[Package]:
    """What all of the files name, and those they include. Raises BadLockError."""
    found: list[Package] = []
    seen: set[str] = set()
    for name in names:
        if posixpath.basename(name) == "package-lock.json":
            found += _npm(root, name)
        else:
            found += _requirements(root, name, seen)
    return list(dict.fromkeys(found))


def _text(root: Path, name: str) -> str:
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise BadLockError(f"{name} leads out of the project")
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadLockError(f"{name} can't be read: {error}") from None


def _requirements(root: Path, name: str, seen: set[str]) -> Iterator[Package]:
    if name in seen:
        return
    seen.add(name)
    for number, line in _lines(_text(root, name)):
        if match := _INCLUDE.match(line):
            yield from _requirements(root, posixpath.normpath(posixpath.join(posixpath.dirname(name), match[1])), seen)
        elif not line.startswith("-") and not _LOCAL.match(line):
            yield _requirement(re.split(r"\s+--?[a-z]", line, maxsplit=1)[0], name, number)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first: continued ones joined, comments and blanks left out."""
    start, held = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        start = start if held else number
        line = re.sub(r"(^|\s)#.*$", "", raw)
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        whole, held = (held + line).strip(), ""
        if whole:
            yield start, whole
    if held.strip():
        yield start, held.strip()


def _requirement(line: str, file: str, number: int) -> Package:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return Package("PyPI", line, "", file, number)
    exact = [s.version for s in requirement.specifier if s.operator in {"==", "==="} and not s.version.endswith("*")]
    version = exact[0] if exact and not requirement.url else ""
    return Package("PyPI", requirement.name, version, file, number)


def _npm(root: Path, name: str) -> Iterator[Package]:
    text = _text(root, name)
    try:
        entries = _entries(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadLockError(f"{name} is no package-lock.json: {error!r}"[:300]) from None
    for key, package, version in entries:
        at = text.find(f"{json.dumps(key)}:")
        yield Package("npm", package, version, name, text.count("\n", 0, at) + 1 if at >= 0 else 0)


def _entries(lock: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(key in the file, package, version); the version is empty where the registry has no say."""
    if lock["lockfileVersion"] == 1:
        return list(_dependencies(lock.get("dependencies") or {}))
    return list(_packages(lock["packages"]))


def _packages(packages: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Lock file versions 2 and 3: by the folder of each. Links and the project's own parts are no packages."""
    for key, entry in packages.items():
        if "node_modules/" not in key or entry.get("link"):
            continue
        registry = not str(entry.get("resolved", "https:")).startswith(("git", "file:"))
        yield key, entry.get("name") or key.rsplit("node_modules/", 1)[1], entry["version"] if registry else ""


def _dependencies(dependencies: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Lock file version 1: a tree."""
    for name, entry in dependencies.items():
        version = entry["version"]
        yield name, name, "" if version.startswith(("git", "file:", "http", "github:")) else version.split("@")[-1]
        yield from _dependencies(entry.get("dependencies") or {})
