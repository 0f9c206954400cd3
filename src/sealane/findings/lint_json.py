"""Reads the linters that print JSON: pylint, hadolint, actionlint, zizmor, shellcheck and ESLint."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from sealane.errors import ReportUnreadable
from sealane.findings.model import Finding, Severity
from sealane.findings.scanners.common import line, place, sentence, severity

_LEVELS = {
    "fatal": Severity.MEDIUM,
    "error": Severity.MEDIUM,
    "warning": Severity.MEDIUM,
    "refactor": Severity.LOW,
    "convention": Severity.LOW,
    "info": Severity.LOW,
    "style": Severity.LOW,
}
_ZIZMOR = {
    "high": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "informational": Severity.LOW,
    "unknown": Severity.HIGH,
}
_ERROR = 2  # ESLint's number of it


def pylint(report: str, _log: str = "") -> list[Finding]:
    return _read("pylint", report, _pylint)


def _pylint(document: Any) -> Iterator[Finding]:
    for m in document["messages"]:
        what = f"{m['message']} ({m['symbol']})"
        level = severity(m["type"], _LEVELS)
        yield Finding("pylint", m["messageId"], level, sentence(what), place(m["path"]), line(m["line"]))


def hadolint(report: str, _log: str = "") -> list[Finding]:
    return _read("hadolint", report, _hadolint)


def _hadolint(document: Any) -> Iterator[Finding]:
    for m in document:
        level = severity(m["level"], _LEVELS)
        yield Finding("hadolint", m["code"], level, sentence(m["message"]), place(m["file"]), line(m["line"]))


def actionlint(report: str, _log: str = "") -> list[Finding]:
    return _read("actionlint", report, _actionlint)


def _actionlint(document: Any) -> Iterator[Finding]:
    for m in document:
        where = place(m["filepath"]), line(m["line"])
        yield Finding("actionlint", m["kind"], Severity.MEDIUM, sentence(m["message"]), *where)


def zizmor(report: str, _log: str = "") -> list[Finding]:
    return _read("zizmor", report, _zizmor)


def _zizmor(document: Any) -> Iterator[Finding]:
    """Rows are counted from 0. The primary place is where it goes wrong; others only explain it."""
    for m in document:
        if m["ignored"]:
            continue
        at = next(where for where in m["locations"] if where["symbolic"]["kind"] == "Primary")
        file = at["symbolic"]["key"]["Local"]["verbatim_path"]
        row = at["concrete"]["location"]["start_point"]["row"] + 1
        level = severity(m["determinations"]["severity"], _ZIZMOR)
        what = sentence(f"{m['desc']}: {at['symbolic']['annotation']}")
        yield Finding("zizmor", m["ident"], level, what, place(file), line(row), f"see {m['url']}")


def shellcheck(report: str, _log: str = "") -> list[Finding]:
    return _read("shellcheck", report, _shellcheck)


def _shellcheck(document: Any) -> Iterator[Finding]:
    for m in document["comments"]:
        level = severity(m["level"], _LEVELS)
        yield Finding("shellcheck", f"SC{m['code']}", level, sentence(m["message"]), place(m["file"]), line(m["line"]))


def eslint(report: str, _log: str = "") -> list[Finding]:
    return _read("eslint", report, _eslint)


def _eslint(document: Any) -> Iterator[Finding]:
    """A message without a rule is one of the parser's."""
    for file in document:
        for m in file["messages"]:
            level = Severity.MEDIUM if m["severity"] == _ERROR else Severity.LOW
            where = place(file["filePath"]), line(m.get("line"))
            yield Finding("eslint", m["ruleId"] or "syntax", level, sentence(m["message"]), *where)


def _read(tool: str, report: str, reader: Callable[[Any], Iterator[Finding]]) -> list[Finding]:
    """Raises ReportUnreadable, whatever is wrong with the report."""
    try:
        return list(reader(json.loads(report)))
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, RuntimeError) as error:
        why = f"{tool}'s report can't be read: {error!r}"[:300]
        raise ReportUnreadable(why, hint=f"Read logs/lint/{tool}.txt.") from None
