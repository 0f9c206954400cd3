"""Reads what scanners write, each in its own format, into findings. What can't be read is never taken for clean."""

from __future__ import annotations

from collections.abc import Callable

from sealane.findings.scanners import dependencies, leaks, sarif, snyk, trivy
from sealane.findings.scanners.common import LARGEST, Said

READERS: dict[str, Callable[[str], Said]] = {
    "codeql": lambda text: sarif.read(text, "codeql"),
    "gitleaks": leaks.gitleaks,
    "npm-audit": dependencies.npm_audit,
    "pip-audit": dependencies.pip_audit,
    "safety": dependencies.safety,
    "semgrep-packs": lambda text: sarif.read(text, "semgrep-packs"),
    "snyk": snyk.read,
    "trivy": trivy.read,
    "trufflehog": leaks.trufflehog,
}


def read(scanner: str, text: str) -> Said:
    """What a scanner of READERS said. Raises ReportUnreadable."""
    return READERS[scanner](text)


__all__ = ["LARGEST", "READERS", "Said", "read"]
