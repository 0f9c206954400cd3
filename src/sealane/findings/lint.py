"""Reads what the linters print: black, isort, flake8, mypy, ruff, Prettier (text) and bandit (JSON)."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from sealane.errors import ReportUnreadable
from sealane.findings.model import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

_HUNK = re.compile(r"^@@ -(\d+)")
_FLAKE8 = re.compile(r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):(?P<column>\d+):? (?P<rule>[A-Z]+\d+) (?P<text>.*)$")
_RUFF = re.compile(
    r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):\d+: (?P<rule>[A-Z]+\d+|invalid-syntax|SyntaxError):? (?:\[\*\] )?(?P<text>.*)$"
)
_RUFF_RULE = re.compile(r"^(?P<rule>[A-Z]+\d+|invalid-syntax)\b:? (?:\[\*\] )?(?P<text>.*)$")
_RUFF_PLACE = re.compile(r"^\s*--> (?P<file>[^:]+):(?P<line>\d+):\d+")
_MYPY = re.compile(r"^(?P<file>[^\s:][^:]*):(?P<line>\d+)(?::\d+)?: error: (?P<text>.*?)(?:  \[(?P<rule>[\w-]+)\])?$")
_MYPY_NO_LINE = re.compile(r"^(?P<file>[^\s:][^:]*): error: (?P<text>.*?)(?:  \[(?P<rule>[\w-]+)\])?$")
_BLACK_CANNOT = re.compile(r"^error: cannot (?:format|parse):? (?P<file>[^:]+):(?P<rest>.*)$")
_ISORT = re.compile(r"^ERROR: (?P<file>.+?) (?P<text>Imports are incorrectly sorted.*)$")


def _relative(path: str, root: str) -> str:
    path = path.strip().removeprefix(root.rstrip("/") + "/")
    return path.removeprefix("./")


def _changed_line(lines: list[str], start: int, first: int) -> int:
    """The number of the first line that a diff's hunk removes or adds to; the hunk's text begins at `start`."""
    number = first
    for line in lines[start:]:
        if line.startswith(("-", "+")):
            return max(number, 1)
        if line.startswith("@@"):
            break
        number += 1
    return max(first, 1)


def _first_hunks(diff: str, root: str) -> dict[str, int]:
    """File → the line of its first change."""
    lines = diff.splitlines()
    found: dict[str, int] = {}
    file = ""
    for index, line in enumerate(lines):
        if line.startswith("--- "):
            file = _relative(line[4:].split("\t")[0].removesuffix(":before"), root)
        elif (hunk := _HUNK.match(line)) and file and file not in found:
            found[file] = _changed_line(lines, index + 1, int(hunk[1]))
    return found


def black(stdout: str, stderr: str, root: str = "/src", tool: str = "black") -> list[Finding]:
    """Files that black (or `ruff format`, which prints the same diff) would change, or cannot read."""
    places = _first_hunks(stdout, root)
    findings = []
    for line in (stderr + "\n" + stdout).splitlines():
        if line.startswith(("would reformat ", "Would reformat: ")):
            file = _relative(line.split("eformat", 1)[1].removeprefix(":"), root)
            places.setdefault(file, 0)
        elif match := _BLACK_CANNOT.match(line):
            numbers = re.findall(r"\d+", match["rest"])
            at = int(numbers[0]) if numbers else 0
            findings.append(
                Finding(tool, "syntax", Severity.MEDIUM, "cannot be parsed", _relative(match["file"], root), at)
            )
    command = "ruff format" if tool == "ruff-format" else tool
    findings += [
        Finding(tool, "format", Severity.LOW, "would be reformatted", f, at, f"{command} {shlex.quote(f)}")
        for f, at in places.items()
    ]
    return findings


def prettier(diff: str, root: str = "/src") -> list[Finding]:
    """From the difference between the files as they are and as Prettier writes them."""
    return [
        Finding("prettier", "format", Severity.LOW, "would be reformatted", f, at, f"prettier --write {shlex.quote(f)}")
        for f, at in _first_hunks(diff, root).items()
    ]


def nothing(_stdout: str, _stderr: str) -> list[Finding]:
    """Of a tool that measures: see `quality`."""
    return []


def isort(stdout: str, stderr: str, root: str = "/src") -> list[Finding]:
    places = _first_hunks(stdout, root)
    found = {}
    for line in (stderr + "\n" + stdout).splitlines():
        if match := _ISORT.match(line):
            file = _relative(match["file"], root)
            fix = f"isort {shlex.quote(file)}"
            found[file] = Finding("isort", "imports", Severity.LOW, match["text"], file, places.get(file, 0), fix)
    return list(found.values())


def flake8(stdout: str, _stderr: str = "", root: str = "/src") -> list[Finding]:
    return [
        Finding("flake8", m["rule"], Severity.MEDIUM, m["text"], _relative(m["file"], root), int(m["line"]))
        for m in map(_FLAKE8.match, stdout.splitlines())
        if m
    ]


def ruff(stdout: str, _stderr: str = "", root: str = "/src") -> list[Finding]:
    """`ruff check`: the concise form and the full form (rule first, place on the next line)."""
    findings = []
    rule: re.Match[str] | None = None
    for line in stdout.splitlines():
        if match := _RUFF.match(line):
            file = _relative(match["file"], root)
            findings.append(Finding("ruff", match["rule"], Severity.MEDIUM, match["text"], file, int(match["line"])))
        elif match := _RUFF_RULE.match(line):
            rule = match
        elif rule and (match := _RUFF_PLACE.match(line)):
            file = _relative(match["file"], root)
            findings.append(Finding("ruff", rule["rule"], Severity.MEDIUM, rule["text"], file, int(match["line"])))
            rule = None
    return findings


def mypy(stdout: str, _stderr: str = "", root: str = "/src") -> list[Finding]:
    return list(_mypy(stdout, root))


def _mypy(stdout: str, root: str) -> Iterator[Finding]:
    for line in stdout.splitlines():
        if match := _MYPY.match(line) or _MYPY_NO_LINE.match(line):
            groups = match.groupdict()
            at = int(groups.get("line") or 0)
            file = _relative(match["file"], root)
            yield Finding("mypy", match["rule"] or "error", Severity.MEDIUM, match["text"], file, at)


def bandit(report: str, root: str = "/src") -> list[Finding]:
    """The findings in bandit's JSON report. Raises ReportUnreadable."""
    try:
        results = json.loads(report)["results"]
        return [
            Finding(
                "bandit",
                r["test_id"],
                Severity(r["issue_severity"].lower()) if r["issue_severity"] != "UNDEFINED" else Severity.LOW,
                r["issue_text"],
                _relative(r["filename"], root),
                r["line_number"],
                f"see {r['more_info']}" if r.get("more_info") else "",
            )
            for r in results
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ReportUnreadable(f"bandit's report can't be read: {error!r}", hint="Read logs/lint/bandit.txt.") from None
