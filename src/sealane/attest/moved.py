"""What differs between two builds of an image: its packages, its configuration, and its layers file by file."""

from __future__ import annotations

import hashlib
import json
import posixpath
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

SHOWN = 10
_PIECE = 1 << 20
_PARTS = ("content", "kind", "mode", "owner", "time")


@dataclass(frozen=True, slots=True)
class Build:
    """One platform's image: its configuration (OCI), its layers' digests, how one is opened, its SBOM (CycloneDX) if known."""

    config: Mapping[str, Any]
    layers: tuple[str, ...]
    open: Callable[[str], BinaryIO]
    sbom: bytes = b""


@dataclass(frozen=True, slots=True)
class File:
    """A member of a layer: a digest of its content (or where its link leads), and what is said of it."""

    content: str
    kind: str
    mode: str
    owner: str
    time: str


def differences(old: Build, new: Build) -> list[str]:
    """A line for each thing that moved: packages first, for they mostly are why files did."""
    lines = _packages(packages(old.sbom), packages(new.sbom)) if old.sbom and new.sbom else []
    lines += _configuration(old.config, new.config)
    count = max(len(old.layers), len(new.layers))
    for number, (was, now) in enumerate(zip_longest(old.layers, new.layers), start=1):
        if was == now:
            continue
        if was is None or now is None:
            lines.append(f"layer {number} of {count}: {'more than was published' if was is None else 'missing'}")
            continue
        lines.append(f"layer {number} of {count}: {was} → {now}")
        changed = _files(_read(old, was), _read(new, now))
        lines += [f"  {line}" for line in _first(changed)] or ["  the same files, packed otherwise"]
    return lines


def packages(cyclonedx: bytes) -> dict[str, str]:
    """Name (with its kind: `pypi/six`) → versions. Empty when it is no list that can be read."""
    try:
        components = json.loads(cyclonedx)["components"]
        found: dict[str, set[str]] = {}
        for each in components:
            if each.get("type") == "library":
                kind = str(each.get("purl", "")).removeprefix("pkg:").partition("/")[0]
                name = f"{kind}/{each['name']}" if kind else str(each["name"])
                found.setdefault(name, set()).add(str(each.get("version", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def files(layer: BinaryIO) -> dict[str, File]:
    """The members of a layer (tar, plain or compressed) by path. Raises tarfile.TarError, OSError, EOFError."""
    found = {}
    with tarfile.open(fileobj=layer, mode="r|*") as archive:
        for member in archive:
            found["/" + member.name.removeprefix("./").strip("/")] = File(
                _content(archive, member),
                member.type.decode(errors="replace"),
                f"{member.mode:o}",
                f"{member.uid}:{member.gid}",
                f"{member.mtime:.0f}",
            )
    return found


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    if not member.isreg():
        return member.linkname
    hasher = hashlib.sha256()
    data = archive.extractfile(member)
    while data is not None and (piece := data.read(_PIECE)):
        hasher.update(piece)
    return hasher.hexdigest()


def _read(build: Build, digest: str) -> dict[str, File]:
    with build.open(digest) as layer:
        return files(layer)


def _packages(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return _first([f"package {name}: {old.get(name, 'none')} → {new.get(name, 'none')}" for name in names])


def _configuration(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    before, after = dict(_flat(old, "")), dict(_flat(new, ""))
    keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    return _first([f"configuration {key}: {before.get(key, 'none')} → {after.get(key, 'none')}" for key in keys])


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, each in value.items():
        if prefix == "" and key in ("rootfs", "history"):  # the layers say that better
            continue
        if isinstance(each, Mapping):
            yield from _flat(each, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(each)


def _files(old: Mapping[str, File], new: Mapping[str, File]) -> list[str]:
    """A line for each path; what is in a directory that came or went goes without saying."""
    lines = []
    whole: set[str] = set()
    for path in sorted({*old, *new}):
        was, now = old.get(path), new.get(path)
        if was is None or now is None:
            if posixpath.dirname(path) not in whole:
                lines.append(f"{'added' if was is None else 'missing'} {path!a}")
            whole.add(path)
        elif was != now:
            parts = [part for part in _PARTS if getattr(was, part) != getattr(now, part)]
            lines.append(f"changed {path!a} ({', '.join(parts)})")
    return lines


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], f"… and {more} more"] if more > 0 else lines
