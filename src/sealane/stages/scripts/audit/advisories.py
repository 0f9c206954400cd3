"""Reads a folder of OSV advisories, and says whether one concerns a version of a package."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import severity, versions

_LARGEST = 16 * 1024 * 1024
ECOSYSTEMS = ("PyPI", "npm")


class BadAdvisoryError(ValueError):
    """A file in the folder that is no OSV advisory: what is in the others can't be trusted to be all."""


@dataclass(frozen=True)
class Affected:
    """What one advisory says of one package."""

    advisory: str
    aliases: frozenset[str]
    summary: str
    severity: str
    versions: frozenset[str]
    ranges: tuple[tuple[dict[str, str], ...], ...]

    @property
    def names(self) -> frozenset[str]:
        return self.aliases | {self.advisory}


@dataclass
class Database:
    """All advisories of a folder by ecosystem and package name."""

    count: int = 0
    newest: str = ""
    affected: dict[tuple[str, str], list[Affected]] = field(default_factory=lambda: defaultdict(list))


def normal(ecosystem: str, name: str) -> str:
    """The name as its registry compares it."""
    return re.sub(r"[-_.]+", "-", name).lower() if ecosystem == "PyPI" else name


def read(folder: Path) -> Database:
    """Every `*.json` below the folder. Raises BadAdvisoryError."""
    database = Database()
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder)
        try:
            _add(database, json.loads(_content(path)))
        except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
            raise BadAdvisoryError(f"{name} is no OSV advisory: {error!r}"[:500]) from None
    return database


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"larger than {_LARGEST} bytes")
    return content


def _add(database: Database, advisory: dict[str, Any]) -> None:
    identifier, modified = advisory["id"], advisory["modified"]
    if not isinstance(identifier, str) or not isinstance(modified, str):
        raise TypeError("id or modified is no text")
    database.count += 1
    database.newest = max(database.newest, modified)
    if advisory.get("withdrawn"):
        return
    said = " ".join((advisory.get("summary") or advisory.get("details") or "").split())
    for one in advisory.get("affected", []):
        package = one.get("package") or {}
        ecosystem = package.get("ecosystem", "").split(":")[0]
        if ecosystem not in ECOSYSTEMS:
            continue
        ranges = tuple(tuple(r["events"]) for r in one.get("ranges", []) if r["type"] in {"ECOSYSTEM", "SEMVER"})
        entry = Affected(
            identifier,
            frozenset(advisory.get("aliases") or ()),
            said[:300],
            severity.of(advisory),
            frozenset(one.get("versions") or ()),
            ranges,
        )
        database.affected[ecosystem, normal(ecosystem, package["name"])].append(entry)


def concerns(affected: Affected, ecosystem: str, version: str) -> bool:
    """Whether a version is affected. Raises versions.NotAVersionError when that can't be told."""
    if version in affected.versions:
        return True
    if not affected.ranges and not affected.versions:
        return True  # the schema: a package without versions and ranges is affected in all of them
    at = versions.key(ecosystem, version)
    if any(_equal(ecosystem, listed, at) for listed in affected.versions):
        return True
    return any(_within(events, ecosystem, at) for events in affected.ranges)


def _equal(ecosystem: str, listed: str, at: Any) -> bool:
    try:
        return bool(versions.key(ecosystem, listed) == at)
    except versions.NotAVersionError:  # old texts in a list of versions; they were compared as they stand
        return False


def _within(events: tuple[dict[str, str], ...], ecosystem: str, at: Any) -> bool:
    """The schema's own way: the events in order, each of which turns the answer on or off."""
    limits = [event["limit"] for event in events if "limit" in event]
    if limits and not any(limit == "*" or at < versions.key(ecosystem, limit) for limit in limits):
        return False
    # "0" is before every version. A version that ends one part and begins the next belongs to the next.
    order = {"fixed": 0, "last_affected": 1, "introduced": 2}
    steps = []
    for event in events:
        for kind, version in event.items():
            if kind in order:
                first = kind == "introduced" and version == "0"
                steps.append((not first, None if first else versions.key(ecosystem, version), order[kind], kind))
    steps.sort(key=lambda step: (step[0], *([step[1], step[2]] if step[0] else [])))
    hit = False
    for later, edge, _, kind in steps:
        if kind == "introduced" and (not later or at >= edge):
            hit = True
        elif (kind == "fixed" and at >= edge) or (kind == "last_affected" and at > edge):
            hit = False
    return hit


def fixes(affected: Affected, ecosystem: str, version: str) -> list[str]:
    """The versions above `version` that mend it, lowest first."""
    at = versions.key(ecosystem, version)
    found = {event["fixed"] for events in affected.ranges for event in events if "fixed" in event}
    return sorted((f for f in found if versions.key(ecosystem, f) > at), key=lambda f: versions.key(ecosystem, f))
