"""What all readers share: JSON within bounds, severities by a tool's own words, and places that stay in the project."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sealane.errors import ReportUnreadable
from sealane.findings.model import Finding, Severity

LARGEST = 64 * 1024 * 1024  # bytes of one report; a real one is some megabytes
_MOST = 100_000  # findings
_LONGEST = 1000  # characters of a message
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said:
    """What a scanner found; `missing` says what it did not look at, and is empty when it looked at everything."""

    findings: tuple[Finding, ...]
    missing: str = ""


def unreadable(tool: str, why: str) -> ReportUnreadable:
    return ReportUnreadable(f"{tool}'s report can't be read: {why}", hint="Look at the tool's log.")


def parse(text: str, tool: str, reader: Callable[[Any], Said]) -> Said:
    """The reader's answer to the JSON in `text`. Raises ReportUnreadable, whatever is wrong with it."""
    check(text, tool)
    try:
        said = reader(json.loads(text))
    except _UNREADABLE as error:
        raise unreadable(tool, f"{error!r}"[:300]) from None
    return bounded(said, tool)


def check(text: str, tool: str) -> None:
    """That there is a report at all, and not too much of one. Raises ReportUnreadable."""
    if not text.strip():
        raise unreadable(tool, "it is empty")
    if len(text) > LARGEST:
        raise unreadable(tool, f"it has more than {LARGEST} characters")


def bounded(said: Said, tool: str) -> Said:
    if len(said.findings) > _MOST:
        raise unreadable(tool, f"it has more than {_MOST} findings")
    return said


def severity(word: object, words: Mapping[str, Severity]) -> Severity:
    """By the tool's own words, in lower case. Raises ValueError for one it does not have: nobody knows how bad it is."""
    if not isinstance(word, str) or word.lower() not in words:
        raise ValueError(f"unknown severity {word!r}")
    return words[word.lower()]


def place(path: object) -> str:
    """A path relative to the project; empty for one that leads out of it, which no tool of ours may be sent to."""
    if not isinstance(path, str):
        return ""
    plain = path.replace("\\", "/").removeprefix("file://")
    plain = posixpath.normpath(plain.removeprefix("/src/").lstrip("/")) if plain else ""
    return "" if plain in {".", ".."} or plain.startswith("../") or "\0" in plain else plain


def line(number: object) -> int:
    return number if isinstance(number, int) and number > 0 else 0


def sentence(*parts: object) -> str:
    """One line of text, cut where nobody reads on."""
    text = " ".join(" ".join(str(part).split()) for part in parts if part)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def upgrade(versions: object) -> str:
    """What to do about a package: "fixed in 1.2"; empty when there is no fix."""
    if isinstance(versions, str):
        versions = [versions] if versions else []
    return f"fixed in {', '.join(map(str, versions))}" if isinstance(versions, list | tuple) and versions else "no fix"


__all__ = ["LARGEST", "Finding", "Said", "Severity"]
