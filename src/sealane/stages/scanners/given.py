"""Scanners that run elsewhere: their reports are files of the project, read here and handed on by the guide's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagger import dag

from sealane.errors import ReportUnreadable
from sealane.findings import scanners
from sealane.stages.scanners import scanned
from sealane.stages.scanners.scanned import Scanned

if TYPE_CHECKING:
    from sealane.stages.project import Project

_NAMES = {
    "codeql": "codeql-results.sarif",
    "gitleaks": "gitleaks-report.json",
    "npm-audit": "npm-audit-report.json",
    "pip-audit": "pip-audit-report.json",
    "safety": "safety-report.json",
    "semgrep-packs": "semgrep-packs.sarif",
    "snyk": "snyk-report.json",
    "trivy": "trivy-results.sarif",
    "trufflehog": "trufflehog-report.jsonl",
}


async def run(project: Project, name: str) -> Scanned:
    """What a report says. Without one the scanner did not scan."""
    path = next((file for key, file in project.config.scan.reports.items() if key == name), None)
    if path is None:
        return Scanned(
            name,
            wrong=f"{name} looks at images: name it in scan.image-scanners, or hand its report in by scan.reports.{name}",
        )
    if not project.has(path):
        return Scanned(name, wrong=f"{name}'s report is not in the project: {path} (scan.reports.{name})")
    file = project.source.file(path)
    try:
        text = await scanned.text_of(file, name)
        said = scanners.read(name, text)
    except ReportUnreadable as error:
        return Scanned(name, wrong=error.message)
    return Scanned(name, said.findings, dag.directory().with_file(_file_name(name, text), file), said.missing)


def _file_name(name: str, text: str) -> str:
    """The guide's name; Trivy and gitleaks write either format."""
    stem = _NAMES[name].rpartition(".")[0]
    if name not in {"trivy", "gitleaks"}:
        return _NAMES[name]
    return f"{stem}.sarif" if text.lstrip().startswith("{") and '"runs"' in text else f"{stem}.json"
