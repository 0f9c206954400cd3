"""Writes `security-report.json`, which the guide's quality script reads: `.vulnerabilities[].severity` in capitals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealane.findings.model import Finding


def write(findings: Iterable[Finding], not_scanned: Mapping[str, str]) -> str:
    """`not_scanned` is scanner → reason: an empty list of vulnerabilities alone is no proof of anything."""
    document = {
        "vulnerabilities": [
            {
                "id": finding.rule,
                "severity": finding.severity.value.upper(),
                "tool": finding.tool,
                "message": finding.message,
                "file": finding.file,
                "line": finding.line,
            }
            for finding in findings
        ],
        "not_scanned": [{"scanner": name, "reason": reason} for name, reason in not_scanned.items()],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
