"""Reads what measures code: lizard (cyclomatic complexity), complexipy (cognitive complexity), jscpd (duplication)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealane.errors import ReportUnreadable
from sealane.findings.model import Finding, Severity

if TYPE_CHECKING:
    from sealane.config.gates import GatesConfig

CYCLOMATIC, COGNITIVE, DUPLICATION = "complexity.cyclomatic", "complexity.cognitive", "duplication"
_COGNITIVE = re.compile(r"cognitive complexity of (\d+)")


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures by name, and a finding at each place that is over its bound."""

    figures: Mapping[str, float]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    file: str
    line: int
    complexity: int


def lizard(report: str, gates: GatesConfig) -> Measured:
    """The CSV of `lizard --csv`: one row for each function. Raises ReportUnreadable."""
    try:
        rows = [row for row in csv.reader(io.StringIO(report)) if row]
        functions = [_Function(row[7], _relative(row[6]), int(row[9]), int(row[1])) for row in rows]
    except (ValueError, IndexError, csv.Error) as error:
        raise _unreadable("lizard", error) from None
    return _complexity("lizard", CYCLOMATIC, functions, gates.complexity.cyclomatic)


def complexipy(report: str, gates: GatesConfig) -> Measured:
    """Its SARIF with a bound of 0, so that every function is in it that has any complexity. Raises ReportUnreadable."""
    try:
        functions = [_function(result) for run in json.loads(report)["runs"] for result in run["results"]]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise _unreadable("complexipy", error) from None
    return _complexity("complexipy", COGNITIVE, functions, gates.complexity.cognitive)


def _function(result: Any) -> _Function:
    place = result["locations"][0]["physicalLocation"]
    name = result["locations"][0]["logicalLocations"][0]["name"]
    said = _COGNITIVE.search(result["message"]["text"])
    if said is None:
        raise ValueError(f"no complexity in {result['message']['text']!r}")
    return _Function(name, _relative(place["artifactLocation"]["uri"]), int(place["region"]["startLine"]), int(said[1]))


def _complexity(tool: str, figure: str, functions: Iterable[_Function], bound: int | None) -> Measured:
    listed = list(functions)
    over = [f for f in listed if bound is not None and f.complexity > bound]
    kind = figure.partition(".")[2]
    findings = tuple(
        Finding(tool, kind, Severity.LOW, f"{f.name} has a {kind} complexity of {f.complexity} (at most {bound})",
                f.file, f.line, "split it by what it does")
        for f in over
    )  # fmt: skip
    return Measured({figure: max((f.complexity for f in listed), default=0)}, findings)


def jscpd(report: str, gates: GatesConfig) -> Measured:
    """`jscpd-report.json`. A finding for each clone, when there are too many of them. Raises ReportUnreadable."""
    try:
        document = json.loads(report)
        percent = float(document["statistics"]["total"]["percentage"])
        findings = tuple(
            Finding(
                "jscpd", "duplicate", Severity.LOW,
                f"{clone['lines']} lines as in {_relative(clone['secondFile']['name'])}:{clone['secondFile']['start']}",
                _relative(clone["firstFile"]["name"]), int(clone["firstFile"]["start"]), "write it once",
            )
            for clone in document["duplicates"]
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable("jscpd", error) from None
    over = gates.duplication is not None and not percent <= gates.duplication
    return Measured({DUPLICATION: round(percent, 2)}, findings if over else ())


def _relative(path: str, root: str = "/src/") -> str:
    return path.removeprefix(root).removeprefix("./")


def _unreadable(tool: str, error: Exception) -> ReportUnreadable:
    return ReportUnreadable(f"{tool}'s report can't be read: {error!r}"[:300], hint=f"Read logs/lint/{tool}.txt.")
