"""A run as one HTML page that needs nothing else: no script, no request, and everything from outside escaped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

from sealane.report import timeline
from sealane.report.text import figure, narrowed

if TYPE_CHECKING:
    from sealane.report.model import CoverageRow, FindingRow, RunReport, StageRow, SuiteRow, TestRow

SEVERITIES = ("high", "medium", "low")
_PAGE = "page.html.j2"
_MOST = 1000  # findings, tests and files each: a browser still scrolls through these
_MARKS = {
    "passed": "✔", "ran": "✔", "cached": "✔", "accepted": "✔", "warning": "!", "flaky": "!", "failed": "✘", "error": "✘",
    "skipped": "-", "not run": "○", "not measured": "○", "unknown": "○",
}  # fmt: skip
_ORIGINS = {
    "store": "from the local store",
    "registry": "from the registry",
    "catalog": "built here from Debian packages",
}


@dataclass(frozen=True, slots=True)
class _Findings:
    """What the page shows of findings: those that count by severity and file, and the others."""

    total: int
    left_out: int
    table: list[tuple[str, dict[str, int]]]
    groups: list[tuple[str, list[tuple[str, list[FindingRow]]]]]
    excused: list[FindingRow]


def render(report: RunReport) -> str:
    """The whole page."""
    # Where nothing but a module is loaded, nobody may pay for this.
    from jinja2 import DictLoader, Environment, StrictUndefined

    here = resources.files("sealane.report")
    texts = {name: (here / name).read_text(encoding="utf-8") for name in (_PAGE, "page.css")}
    environment = Environment(
        loader=DictLoader(texts), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"duration": duration, "figure": figure}
    return environment.get_template(_PAGE).render(_content(report), marks=_MARKS, origins=_ORIGINS)


def _content(report: RunReport) -> dict[str, Any]:
    bad = [test for row in report.stages for test in row.tests if test.outcome in {"failed", "error"}]
    flaky = [test for row in report.stages for test in row.tests if test.outcome == "flaky"]
    skipped = [test for row in report.stages for test in row.tests if test.outcome == "skipped"]
    suites = [suite for row in report.stages for suite in row.suites]
    covered = sorted((file for row in report.stages for file in row.coverage), key=lambda file: file.percent)
    bars = timeline.bars(report)
    return {
        "report": report,
        "title": f"{report.stages[0].name if len(report.stages) == 1 else 'pipeline'}".capitalize(),
        "narrowed": narrowed(report),
        "started": datetime.fromisoformat(report.started),
        "bars": bars,
        "critical": sum(bar.seconds for bar in bars if bar.kind == "stage" and bar.critical),
        "findings": _findings(report.stages),
        "tests": [*bad, *flaky][:_MOST],
        "tests_left_out": max(0, len(bad) + len(flaky) - _MOST),
        "skipped": skipped[:_MOST],
        "suites": suites,
        "coverage": covered[:_MOST],
        "coverage_left_out": max(0, len(covered) - _MOST),
        "tiles": _tiles(report, suites, covered, bad),
    }


def _findings(stages: list[StageRow]) -> _Findings:
    found = [finding for row in stages for finding in row.findings]
    counting = [f for f in found if not f.known and not f.waived]
    shown = sorted(counting, key=lambda f: (SEVERITIES.index(f.severity), f.file, f.line))[:_MOST]
    groups = []
    for severity in SEVERITIES:
        files: dict[str, list[FindingRow]] = {}
        for finding in shown:
            if finding.severity == severity:
                files.setdefault(finding.file, []).append(finding)
        if files:
            groups.append((severity, list(files.items())))
    table: dict[str, dict[str, int]] = {}
    for finding in counting:
        table.setdefault(finding.file, dict.fromkeys(SEVERITIES, 0))[finding.severity] += 1
    rows = sorted(table.items(), key=lambda row: (*(-row[1][s] for s in SEVERITIES), row[0]))
    excused = [f for f in found if f.known or f.waived]
    return _Findings(len(counting), len(counting) - len(shown), rows[:_MOST], groups, excused[:_MOST])


def _tiles(
    report: RunReport, suites: list[SuiteRow], covered: list[CoverageRow], bad: list[TestRow]
) -> list[tuple[str, str, str, str]]:
    """(label, value, state, anchor) of the figures at the top."""
    gates = report.gates
    failed = sum(gate.verdict == "failed" for gate in gates)
    warned = sum(gate.verdict == "warning" for gate in gates)
    counting = [f for row in report.stages for f in row.findings if not f.known and not f.waived]
    high = sum(f.severity == "high" for f in counting)
    said = f"{failed} failed" if failed else f"{warned} warn" if warned else f"{len(gates)} hold"
    tiles = [("Gates", said, "failed" if failed else "warning" if warned else "passed", "gates")]
    state = "failed" if high else "warning" if counting else "passed"
    tiles.append(("Findings", str(len(counting)), state, "findings"))
    if suites:
        total = sum(suite.tests for suite in suites)
        tiles.append(
            ("Tests", f"{len(bad)} of {total} failed" if bad else str(total), "failed" if bad else "passed", "tests")
        )
    figure = next((row.figures["coverage"] for row in report.stages if "coverage" in row.figures), None)
    if figure is not None:
        tiles.append(("Coverage", f"{figure:g} %", "plain", "coverage" if covered else "stages"))
    steps = [step for row in report.stages for step in row.steps]
    if steps:
        cached = sum(step.verdict == "cached" for step in steps)
        tiles.append(("Steps cached", f"{cached} of {len(steps)}", "plain", "timeline"))
    return tiles


def duration(seconds: float) -> str:
    """0.4 s, 12 s, 3 min 5 s."""
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds >= 0.01 else "0 s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
