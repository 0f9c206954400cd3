"""`sealane.lock`: which digest each base image has, by platform; its format, and what a run does with it.

    version = 1

    [images."linux/amd64"]              from a registry: the digest of the platform's manifest
    "python:3.11-slim" = "sha256:…"

    [catalog."linux/amd64"]             built here from Debian packages
    "redis:7" = "sha256:…"

    [packages."linux/amd64"]            what those were built of, for whoever reads the difference
    "openssl" = "3.0.17-1~deb12u3"

Everything is sorted, one entry a line, so that a change shows as what it is. The modes are the words of Dagger's
`--lock`: *disabled* (nothing is pinned), *live* (registries are asked anew, whatever is pinned or was seen a moment
ago), *pinned* (what is pinned is used, the rest is looked up) and *frozen* (what isn't pinned is refused).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from sealane_engine.errors import ImageError, InvalidInput
from sealane_engine.oci import reference

if TYPE_CHECKING:
    from pathlib import Path

    from sealane_engine.oci.reference import Reference

FILE = "sealane.lock"
VERSION = 1
Mode = Literal["disabled", "live", "pinned", "frozen"]
MODES: tuple[Mode, ...] = get_args(Mode)

_HEAD = "# Base images by digest. Written by `sealane lock`, to be read in reviews; `sealane lock --check` says what moved.\n"
_TABLES = ("images", "catalog", "packages")
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})(?: |$)", re.MULTILINE)
_PLACE = re.compile(r"\(at line (\d+), column \d+\)")

Table = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Pin:
    """What a reference means on a platform: a digest, and whether the catalog has built it."""

    digest: str
    catalog: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    """The contents of a lock file: platform → (reference as a user writes it → digest). `packages`: name → version."""

    images: Table = field(default_factory=dict)
    catalog: Table = field(default_factory=dict)
    packages: Table = field(default_factory=dict)

    def pin(self, ref: str, platform: str) -> Pin | None:
        """What is pinned for a reference, however it is written. Raises InvalidInput (`bad-reference`)."""
        return self._of(reference.parse(ref).familiar, platform)

    def _of(self, name: str, platform: str) -> Pin | None:
        for table, catalog in ((self.images, False), (self.catalog, True)):
            if digest := table.get(platform, {}).get(name):
                return Pin(digest, catalog)
        return None

    @property
    def pins(self) -> dict[tuple[str, str], Pin]:
        """All pins, by reference and platform."""
        names = sorted({(n, p) for table in (self.images, self.catalog) for p, found in table.items() for n in found})
        return {(name, platform): pin for name, platform in names if (pin := self._of(name, platform))}

    def text(self) -> str:
        """The file."""
        lines = [_HEAD, f"version = {VERSION}\n"]
        for name in _TABLES:
            for platform, entries in sorted(getattr(self, name).items()):
                if entries:
                    lines.append(f"\n[{name}.{json.dumps(platform)}]\n")
                    lines += [f"{json.dumps(key)} = {json.dumps(entries[key])}\n" for key in sorted(entries)]
        return "".join(lines)


def read(path: Path) -> bytes:
    """A lock file as it is. Raises InvalidInput (`no-lock`, `bad-lock`)."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InvalidInput(f"there is no {path}", reason="no-lock", hint="make it: sealane lock") from None
    except OSError as error:
        raise InvalidInput(f"{path} can't be read: {error.strerror}", reason="bad-lock") from None


def parse(data: bytes, name: str = FILE) -> Lock:
    """A lock file's contents. Raises InvalidInput (`lock-conflict`, `bad-lock`, `lock-version`) with the line."""
    import tomllib

    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _bad(f"{name}:{_line(data, error.start)}", "it is no UTF-8 text") from None
    if conflict := _CONFLICT.search(text):
        raise InvalidInput(
            f"{name}:{_line(text, conflict.start())}: it has the marks of a merge conflict",
            reason="lock-conflict",
            hint=f"take one side (`git checkout --ours {name}`, or --theirs), then run `sealane lock`",
        )
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line = place[1] if place else str(text.count("\n") + 1)
        raise _bad(f"{name}:{line}", _PLACE.sub("", str(error)).strip()) from None
    version = table.pop("version", None)
    if version != VERSION:
        raise InvalidInput(
            f"{name}: its version is {version!r}, and this Sealane reads {VERSION}",
            reason="lock-version",
            hint=f"use the Sealane that wrote it, or delete {name} and run `sealane lock`",
        )
    if unknown := sorted(table.keys() - set(_TABLES)):
        raise _bad(_where(text, name, unknown[0]), f"unknown table {unknown[0]!r}")
    return Lock(**{each: _checked(table.get(each, {}), each, text, name) for each in _TABLES})


def _checked(table: Any, kind: str, text: str, name: str) -> Table:
    if not isinstance(table, dict):
        raise _bad(_where(text, name, kind), f"{kind} is no table")
    for platform, entries in table.items():
        if not isinstance(entries, dict):
            raise _bad(_where(text, name, platform), f"{kind}.{platform} is no table")
        for key, value in entries.items():
            good = isinstance(value, str) and (kind == "packages" or reference.is_digest(value))
            if not good:
                raise _bad(_where(text, name, key), f"{key!r} has {value!r}, which is no digest")
    return table


def _where(text: str, name: str, key: str) -> str:
    """The line where a key stands."""
    at = text.find(key)
    return f"{name}:{_line(text, at)}" if at >= 0 else name


def _line(text: str | bytes, at: int) -> int:
    before = text[:at]
    return (before.count("\n") if isinstance(before, str) else before.count(b"\n")) + 1


def _bad(where: str, what: str) -> InvalidInput:
    name = where.partition(":")[0]
    return InvalidInput(
        f"{where}: {what}", reason="bad-lock", hint=f"mend the line, or delete {name} and run `sealane lock`"
    )


class Pins:
    """What an engine does with a lock file: `data` is its content. Parsed when an image is asked for: most sessions ask for none."""

    def __init__(self, data: bytes = b"", mode: Mode = "disabled", name: str = FILE) -> None:
        self.mode = mode
        self.digest = "" if mode == "disabled" else hashlib.sha256(f"{mode}\n".encode() + data).hexdigest()
        """Changes with whatever these pins decide; empty when they decide nothing."""
        self._data, self._name = data, name

    @property
    def live(self) -> bool:
        return self.mode == "live"

    @property
    def frozen(self) -> bool:
        return self.mode == "frozen"

    def find(self, ref: Reference, platform: str) -> Pin | None:
        """What a reference is pinned to. Raises InvalidInput for a bad file, ImageError (`not-locked`) when frozen."""
        if self.mode in ("disabled", "live") or ref.digest:
            return None
        pin = self._lock.pin(str(ref), platform)
        if pin is None and self.frozen:
            raise ImageError(
                f"{ref.familiar} ({platform}) is not pinned in {self._name}",
                reason="not-locked",
                hint=f"pin it: sealane lock --platform {platform} {ref.familiar}",
            )
        return pin

    def moved(self, ref: Reference, platform: str, pin: Pin, digest: str) -> ImageError:
        """That the catalog makes another image than the one that is pinned."""
        return ImageError(
            f"{ref.familiar} ({platform}) is pinned to {pin.digest}, and its Debian packages make {digest} now",
            reason="lock-differs",
            hint=f"see what moved: sealane lock --check; then pin it: sealane lock {ref.familiar}",
        )

    @cached_property
    def _lock(self) -> Lock:
        return parse(self._data, self._name)
