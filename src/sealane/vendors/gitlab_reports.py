"""GitLab's own reports: code quality, SAST, secret detection, dependency scanning. Its merge requests show them.

Fields as docs.gitlab.com gives them: "Code Quality report format", and the security report schemas of version 15.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealane import __version__
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
_PACKAGE = re.compile(r"(\S+) (\S+): ")


def write(report: RunReport, folder: Path, source: str, commit: str) -> None:
    """All four reports into `folder`. What fits none of the last three is a matter of quality."""
    rest = counting(report)
    for kind in _KINDS:
        ours = [finding for finding in rest if _fits(finding, kind)]
        rest = [finding for finding in rest if finding not in ours]
        made = _security(report, kind, ours, source, commit)
        _save(folder / f"gl-{kind.replace('_', '-')}-report.json", made)
    _save(folder / "gl-code-quality-report.json", [_quality(finding, source) for finding in rest if finding.file])


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


def _security(report: RunReport, kind: str, findings: list[FindingRow], source: str, commit: str) -> dict[str, Any]:
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
        "vulnerabilities": [_vulnerability(finding, kind, source, commit) for finding in findings],
    }
    return {**made, "dependency_files": []} if kind == "dependency_scanning" else made


def _vulnerability(finding: FindingRow, kind: str, source: str, commit: str) -> dict[str, Any]:
    rule = finding.rule or finding.tool
    place: dict[str, Any] = {"file": located(finding.file, source)}
    if kind == "dependency_scanning":
        package = _PACKAGE.match(finding.message)
        assert package is not None
        place["dependency"] = {"package": {"name": package[1]}, "version": package[2]}
    else:
        place["start_line"] = max(1, finding.line)
    if kind == "secret_detection":
        place["commit"] = {"sha": commit or "0000000"}
    return {
        "id": _identity(finding),
        "name": f"{finding.tool}: {rule}"[:255],
        "description": finding.message,
        "severity": _SEVERITIES[finding.severity],
        "solution": finding.fix or "See the report of Sealane.",
        "identifiers": [{"type": finding.tool, "name": f"{finding.tool} {rule}", "value": rule}],
        "location": place,
    }
