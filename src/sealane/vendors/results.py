"""What a report says at lines, worst first: what vendors show in a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane.vendors.voice import Level, Note

if TYPE_CHECKING:
    from sealane.report.model import FindingRow, RunReport

_LEVELS: dict[str, Level] = {"high": "error", "medium": "warning", "low": "notice"}


def counting(report: RunReport) -> list[FindingRow]:
    """The findings that are neither known nor waived, worst first."""
    found = [finding for row in report.stages for finding in row.findings if not finding.known and not finding.waived]
    return sorted(found, key=lambda finding: list(_LEVELS).index(finding.severity))


def notes(report: RunReport, source: str) -> list[Note]:
    """Failed tests, then findings. Paths are made relative to the repository, in which `source` is the project."""
    tests = [
        Note("error", test.name, test.message or test.outcome, located(test.file, source), test.line)
        for row in report.stages
        for test in row.tests
        if test.outcome in ("failed", "error")
    ]
    findings = [
        Note(
            _LEVELS[finding.severity],
            " ".join(filter(None, (finding.tool, finding.rule))),
            finding.message,
            located(finding.file, source),
            finding.line,
        )
        for finding in counting(report)
    ]
    return tests + findings


def located(file: str, source: str) -> str:
    """`file` of the project as the repository knows it."""
    return f"{source}/{file}" if file and source not in ("", ".") else file
