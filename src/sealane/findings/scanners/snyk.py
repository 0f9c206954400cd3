"""Reads `snyk test --json` and `snyk container test --json`: one project, or a list of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sealane.findings.model import Finding, Severity
from sealane.findings.scanners.common import Said, parse, place, sentence, severity, upgrade

_WORDS = {"critical": Severity.HIGH, "high": Severity.HIGH, "medium": Severity.MEDIUM, "low": Severity.LOW}


def read(text: str) -> Said:
    """Raises ReportUnreadable."""
    return parse(text, "snyk", _report)


def _report(report: Any) -> Said:
    projects = report if isinstance(report, list) else [report]
    if not projects:
        return Said((), "snyk found no project to look at")
    return Said(tuple(dict.fromkeys(finding for project in projects for finding in _project(project))))


def _project(project: dict[str, Any]) -> Iterator[Finding]:
    """Each vulnerability once, however many ways lead to it. An image's applications are projects of their own."""
    if project.get("error"):
        raise ValueError(f"snyk says: {project['error']}")
    file = place(project.get("displayTargetFile") or project.get("targetFile"))
    for v in project["vulnerabilities"]:
        said = sentence(
            v.get("packageName") or v["name"], f"{v.get('version', '')}:", v["title"], f"({upgrade(v.get('fixedIn'))})"
        )
        yield Finding("snyk", v["id"], severity(v["severity"], _WORDS), said, file)
    for application in project.get("applications") or []:
        yield from _project(application)
