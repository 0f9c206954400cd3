"""GitLab's own reports: code quality, SAST, secret detection, dependency and container scanning, for its merge requests.

Fields as docs.gitlab.com gives them: "Code Quality report format", and the security report schemas of version 15.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealane import __version__
from sealane.stages.image_scan import NAME as IMAGE_SCAN
from sealane.vendors.results import counting, located

if TYPE_CHECKING:
    from sealane.report.model import FindingRow, RunReport

SCHEMA = "15.2.1"
_SEVERITIES = {"high": "High", "medium": "Medium", "low": "Low"}
_QUALITY = {"high": "critical", "medium": "major", "low": "minor"}
_KINDS = {
    "sast": frozenset(("bandit", "codeql", "semgrep")),
    "secret_detection": frozenset(("secrets", "gitleaks", "trufflehog", "history")),
    "dependency_scanning": frozenset(("dependencies", "pip-audit", "safety", "npm-audit", "snyk", "trivy")),
}
CONTAINER = "container_scanning"
# A report with one empty name of a file is refused whole; tools that ask an index name none.
_MANIFESTS = ("pyproject.toml", "requirements.txt", "setup.py", "package.json")
_LONGEST, _TEXT = 7000, 1 << 20  # of a solution, of a description
_PACKAGE = re.compile(r"(\S+) (\S+): ")


@dataclass(frozen=True, slots=True)
class Subject:
    """What was looked at: the project's folder in the repository, the commit, the image that was built of it."""

    source: str
    commit: str = ""
    image: str = ""


def write(report: RunReport, folder: Path, subject: Subject) -> None:
    """All reports into `folder`. What fits none of the others is a matter of quality."""
    built = [row for row in report.stages if row.name == IMAGE_SCAN]
    others = [row for row in report.stages if row.name != IMAGE_SCAN]
    packages = [f for f in counting(report.model_copy(update={"stages": built})) if _PACKAGE.match(f.message)]
    kinds = {CONTAINER: packages}
    rest = counting(report.model_copy(update={"stages": others}))
    for kind in _KINDS:
        kinds[kind] = [finding for finding in rest if _fits(finding, kind)]
        rest = [finding for finding in rest if finding not in kinds[kind]]
    for kind, ours in kinds.items():
        _save(folder / f"gl-{kind.replace('_', '-')}-report.json", _security(report, kind, ours, subject))
    quality = [_quality(finding, subject.source) for finding in rest if finding.file]
    _save(folder / "gl-code-quality-report.json", quality)


def _fits(finding: FindingRow, kind: str) -> bool:
    if finding.tool not in _KINDS[kind]:
        return False
    return bool(_PACKAGE.match(finding.message)) if kind == "dependency_scanning" else bool(finding.file)


def _save(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _identity(finding: FindingRow) -> str:
    whole = finding.fingerprint or f"{finding.tool} {finding.rule} {finding.file} {finding.line} {finding.message}"
    return hashlib.sha256(whole.encode()).hexdigest()


def _quality(finding: FindingRow, source: str) -> dict[str, Any]:
    return {
        "description": finding.message,
        "check_name": finding.rule or finding.tool,
        "fingerprint": _identity(finding),
        "severity": _QUALITY[finding.severity],
        "location": {"path": located(finding.file, source), "lines": {"begin": max(1, finding.line)}},
    }


def _security(report: RunReport, kind: str, findings: list[FindingRow], subject: Subject) -> dict[str, Any]:
    began = report.started[:19]
    tool = {"id": "sealane", "name": "Sealane", "version": __version__, "vendor": {"name": "Sealane"}}
    made: dict[str, Any] = {
        "version": SCHEMA,
        "scan": {
            "analyzer": tool,
            "scanner": tool,
            "type": kind,
            "status": "success",
            "start_time": began,
            "end_time": began,
        },
        "vulnerabilities": [_vulnerability(finding, kind, subject) for finding in findings],
    }
    return {**made, "dependency_files": []} if kind == "dependency_scanning" else made


def _place(finding: FindingRow, kind: str, subject: Subject) -> dict[str, Any]:
    """Where it is, in the words of each kind of report."""
    package = _PACKAGE.match(finding.message)
    dependency = {"package": {"name": package[1]}, "version": package[2]} if package else {}
    if kind == CONTAINER:  # no tool of ours says which system the package is one of
        return {"dependency": dependency, "operating_system": "Unknown", "image": subject.image or "image"}
    file = located(finding.file, subject.source)
    if kind == "dependency_scanning":
        return {"file": file or located(_manifest(subject.source), subject.source), "dependency": dependency}
    place: dict[str, Any] = {"file": file, "start_line": max(1, finding.line)}
    return {**place, "commit": {"sha": subject.commit or "0000000"}} if kind == "secret_detection" else place


def _manifest(source: str) -> str:
    return next((name for name in _MANIFESTS if Path(source, name).is_file()), _MANIFESTS[0])


def _vulnerability(finding: FindingRow, kind: str, subject: Subject) -> dict[str, Any]:
    rule = finding.rule or finding.tool
    return {
        "id": _identity(finding),
        "name": f"{finding.tool}: {rule}"[:255],
        "description": finding.message[:_TEXT],
        "severity": _SEVERITIES[finding.severity],
        "solution": (finding.fix or "See the report of Sealane.")[:_LONGEST],
        "identifiers": [{"type": finding.tool, "name": f"{finding.tool} {rule}", "value": rule}],
        "location": _place(finding, kind, subject),
    }
