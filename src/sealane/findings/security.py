"""Writes `security-report.json`, which the guide's quality script reads: `.vulnerabilities[].severity` in capitals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealane.findings.model import Finding


def write(findings: Iterable[Finding], not_scanned: Mapping[str, str]) -> str:
    """`not_scanned` is scanner → reason: an empty list of vulnerabilities alone is no proof of anything.

    What a waiver or the baseline excuses counts in no gate, and stands apart.
    """
    rows = [(finding, _row(finding)) for finding in findings]
    document = {
        "vulnerabilities": [row for finding, row in rows if finding.counts],
        "excused": [row for finding, row in rows if not finding.counts],
        "not_scanned": [{"scanner": name, "reason": reason} for name, reason in not_scanned.items()],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _row(finding: Finding) -> dict[str, str | int]:
    return {
        "id": finding.rule,
        "severity": finding.severity.value.upper(),
        "tool": finding.tool,
        "message": finding.message,
        "file": finding.file,
        "line": finding.line,
    }
