"""How a job speaks to its vendor through its log: folds, notes at a line, files to take. One voice per vendor's table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["error", "warning", "notice"]


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be shown at a line of a file. `file` is relative to the repository; `line` is 1-based, 0 for none."""

    level: Level
    title: str
    message: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Voice:
    """What a vendor understands; what it has no words for is None, and left unsaid.

    `folded` gives the lines before and after what is folded, from its name and the time in seconds since the epoch.
    `said` gives what is printed at the end, from the report's folder. `summary` names the variable whose file takes
    Markdown, `annotated` gives the command that reads it, from the name of what it sums up, `most` how many notes are shown.
    """

    opened: Callable[[str, int], str] | None = None
    closed: Callable[[str, int], str] | None = None
    note: Callable[[Note], str] | None = None
    taken: Callable[[Path], list[str]] | None = None
    summary: str = ""
    annotated: Callable[[str], list[str]] | None = None
    most: int = 50


SILENT = Voice()


def escaped(text: str, replacements: dict[str, str]) -> str:
    """Each of these characters as the vendor writes it; control characters, which none of them needs, as a space."""
    return "".join(replacements.get(c, " " if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 else c) for c in text)
