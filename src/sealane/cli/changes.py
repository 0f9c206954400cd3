"""A Changeset that a call answered: what it changes, said as Dagger says it, and applied here once that is agreed to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane.cli.conflicts import Stat, refuse
from sealane.cli.schema import Ref, Types
from sealane.cli.wire import Session, literal
from sealane.errors import ChangesRefused

TYPE = "Changeset"
_WIDTH = 80
_COUNTS = 20  # columns that Dagger keeps for the numbers
_COLOURS = {"ADDED": 32, "REMOVED": 31}


@dataclass(frozen=True, slots=True)
class Screen:
    """Where it is said. Coloured, and with somebody to ask, on a terminal."""

    colours: bool
    asks: bool

    @classmethod
    def found(cls) -> Screen:
        return cls(sys.stderr.isatty() and not os.environ.get("NO_COLOR"), sys.stdin.isatty() and sys.stderr.isatty())

    def painted(self, text: str, colour: int) -> str:
        return f"\033[{colour}m{text}\033[0m" if self.colours else text


def is_one(types: Types, returns: Ref) -> bool:
    """Whether what a call answers is a Changeset, or a list of them."""
    element = types[returns].element
    return (element or returns).name == TYPE


def settle(session: Session, answer: Any, *, apply: bool, saves: bool = True) -> None:
    """Say what a changeset (its id; of a list all together) changes, and apply it to the working directory.

    Without `apply` whoever is at the terminal is asked; `saves` says whether the verb has -o. Raises ChangesRefused when nobody is, or when `.` is no longer,
    or never was, what the changeset was made from: nothing is written then.
    """
    changeset = _merged(session, answer)
    stats = _stats(session, changeset) if changeset else ()
    if not stats:
        print("no changes to apply", file=sys.stderr)
        return
    screen, here = Screen.found(), Path.cwd()
    sys.stderr.write(summary(stats, screen) + "\n")
    elsewhere = ", or save them elsewhere with -o DIR" if saves else ""
    refuse(session, changeset, stats, here, elsewhere)
    if not apply:
        if not screen.asks:
            raise ChangesRefused(
                "the changes were not applied: there is no terminal to ask at",
                reason="nobody-to-ask",
                hint=f"Pass -y to apply them{elsewhere}.",
            )
        if not _agreed():
            return
        refuse(session, changeset, stats, here, elsewhere)
    session.query(f"query{{node(id:{literal(changeset)}){{... on {TYPE}{{export(path:{literal(str(here))})}}}}}}")
    print(f'Applied to "{here}".', file=sys.stderr)


def summary(stats: Iterable[Stat], screen: Screen) -> str:
    """A line for each path with its lines added and removed, and their sum."""
    rows = sorted(_folded(stats), key=lambda stat: stat.path)
    longest = _WIDTH - _COUNTS
    labels = [_shortened(f"{row.old_path} => {row.path}" if row.old_path else row.path, longest) for row in rows]
    width = max(map(len, labels))
    lines = []
    for row, label in zip(rows, labels, strict=True):
        padding = " " * (width - len(label))
        lines.append(screen.painted(label, _COLOURS.get(row.kind, 33)) + padding + _counted(row, screen))
    total = Stat("", "", sum(row.added for row in rows), sum(row.removed for row in rows))
    counts = _counted(total, screen)
    changed = f"{len(rows)} file{'' if len(rows) == 1 else 's'} changed" + (f",{counts} lines" if counts else "")
    return "\n".join([*lines, "", changed])


def _counted(stat: Stat, screen: Screen) -> str:
    parts = ((stat.added, f" +{stat.added}", 32), (stat.removed, f" -{stat.removed}", 31))
    return "".join(f" {screen.painted(text[1:], colour)}" for count, text, colour in parts if count)


def _folded(stats: Iterable[Stat]) -> list[Stat]:
    """Removed directories alone, with the lines of all that was in them."""
    rows = list(stats)
    every = sorted(row.path for row in rows if row.kind == "REMOVED" and row.path.endswith("/"))
    tops: dict[str, int] = {}
    for path in every:
        if not any(path.startswith(top) for top in tops):
            tops[path] = 0
    kept = []
    for row in rows:
        top = next((top for top in tops if row.path.startswith(top)), None) if row.kind == "REMOVED" else None
        if top is None:
            kept.append(row)
        else:
            tops[top] += row.removed
    return kept + [Stat(top, "REMOVED", 0, removed) for top, removed in tops.items()]


def _shortened(label: str, longest: int) -> str:
    if len(label) <= longest:
        return label
    half = (longest - 3) // 2
    return f"{label[: longest - 3 - half]}...{label[-half:]}"


def _merged(session: Session, answer: Any) -> str:
    """The id of the one changeset that there is to apply; empty for none."""
    if not isinstance(answer, list):
        return str(answer or "")
    found = [str(each) for each in answer if each]
    if len(found) < 2:
        return "".join(found)
    data = session.query(f"query{{changeset{{withChangesets(changes:{literal(found)}){{id:sync}}}}}}")
    return str(data["changeset"]["withChangesets"]["id"])


def _stats(session: Session, changeset: str) -> tuple[Stat, ...]:
    fields = "diffStats{path oldPath kind addedLines removedLines}"
    data = session.query(f"query{{node(id:{literal(changeset)}){{... on {TYPE}{{{fields}}}}}}}")
    return tuple(
        Stat(each["path"], each["kind"], each["addedLines"], each["removedLines"], each["oldPath"] or "")
        for each in data["node"]["diffStats"]
    )


def _agreed() -> bool:
    sys.stderr.write("\nApply changes? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
