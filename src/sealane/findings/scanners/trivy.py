"""Reads Trivy's reports: JSON of schema version 2, and SARIF."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sealane.findings.model import Finding, Severity
from sealane.findings.scanners import sarif
from sealane.findings.scanners.common import Said, check, line, parse, place, sentence, severity, unreadable, upgrade

_TOOL = "trivy"
# Releases of March 2026 that attackers made: they stole secrets, and what they say of a project is nobody's word.
_BACKDOORED = frozenset({"0.69.4", "0.69.5", "0.69.6"})
# UNKNOWN is a word of Trivy's: its database has no severity. It counts as the worst, until somebody says otherwise.
_WORDS = {
    "critical": Severity.HIGH,
    "high": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "unknown": Severity.HIGH,
}


def read(text: str) -> Said:
    """Raises ReportUnreadable; also for what a version wrote that was not Trivy's own."""
    check(text, _TOOL)
    if '"runs"' in text:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict) and "runs" in document:
            said = sarif.read(text, _TOOL)
            for run in document["runs"]:
                _refuse(run["tool"]["driver"].get("version"))
            return said
    return parse(text, _TOOL, _report)


def _refuse(version: object) -> None:
    """Raises ReportUnreadable for a version that was backdoored."""
    if str(version).removeprefix("v") in _BACKDOORED:
        raise unreadable(_TOOL, f"Trivy {version} wrote it, which was backdoored: revoke what that job could read")


def _report(report: Any) -> Said:
    if report["SchemaVersion"] != 2:
        raise ValueError(f"schema version {report['SchemaVersion']!r} is not 2")
    _refuse((report.get("Trivy") or {}).get("Version"))
    # Trivy leaves `Results` out when it found nothing that it knows how to look at.
    missing = "" if report.get("Results") else "trivy found no file or package to look at"
    return Said(tuple(f for result in report.get("Results") or [] for f in _result(result)), missing)


def _result(result: dict[str, Any]) -> Iterator[Finding]:
    file = place(result["Target"])
    lines = {package["Name"]: package.get("Locations") for package in result.get("Packages") or []}
    for v in result.get("Vulnerabilities") or []:
        at = (lines.get(v["PkgName"]) or [{}])[0].get("StartLine")
        said = sentence(
            v["PkgName"], f"{v.get('InstalledVersion', '')}:", v.get("Title"), f"({upgrade(v.get('FixedVersion'))})"
        )
        yield Finding(_TOOL, v["VulnerabilityID"], severity(v["Severity"], _WORDS), said, file, line(at))
    for m in result.get("Misconfigurations") or []:
        if m.get("Status", "FAIL") == "FAIL":
            at = m.get("CauseMetadata", {}).get("StartLine")
            said = sentence(m.get("Message") or m.get("Title"), m.get("Resolution"))
            yield Finding(_TOOL, m["ID"], severity(m["Severity"], _WORDS), said, file, line(at))
    for s in result.get("Secrets") or []:
        yield Finding(
            _TOOL, s["RuleID"], severity(s["Severity"], _WORDS), sentence(s["Title"]), file, line(s.get("StartLine"))
        )
    for c in result.get("Licenses") or []:
        said = sentence(c.get("PkgName"), "has the licence", c["Name"])
        yield Finding(
            _TOOL, f"license-{c['Name']}", severity(c["Severity"], _WORDS), said, place(c.get("FilePath")) or file
        )
