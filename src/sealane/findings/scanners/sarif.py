"""Reads SARIF 2.1.0 of scanners that run elsewhere: severity by score where there is one, and runs that broke down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from sealane.findings.model import Finding, Severity
from sealane.findings.scanners.common import Said, line, parse, place, sentence

_LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW, "none": Severity.LOW}


def read(text: str, tool: str, *, always: Severity | None = None) -> Said:
    """`always` is the severity of tools that give none. Raises ReportUnreadable."""
    return parse(text, tool, lambda document: _document(document, tool, always))


def _document(document: Any, tool: str, always: Severity | None) -> Said:
    if document["version"] != "2.1.0":
        raise ValueError(f"version {document['version']!r} is not 2.1.0")
    if not document["runs"]:
        raise ValueError("it holds no run")
    return Said(tuple(finding for run in document["runs"] for finding in _run(run, tool, always)))


def _run(run: dict[str, Any], tool: str, always: Severity | None) -> Iterator[Finding]:
    for invocation in run.get("invocations") or []:
        if invocation.get("executionSuccessful") is False:
            raise ValueError("the tool says of itself that it did not run to its end")
    parts = [run["tool"]["driver"], *run["tool"].get("extensions", [])]
    rules = {rule["id"]: rule for part in parts for rule in part.get("rules") or []}
    if run.get("results") is None:
        raise ValueError("a run without results is one that was not made")
    for result in run["results"]:
        if any(s.get("status", "accepted") == "accepted" for s in result.get("suppressions") or []):
            continue
        name = result.get("ruleId") or result["rule"]["id"]
        physical = (result.get("locations") or [{}])[0].get("physicalLocation", {})
        yield Finding(
            tool,
            name,
            always or _severity(result, rules.get(name, {})),
            sentence(result["message"]["text"]),
            place(unquote(physical.get("artifactLocation", {}).get("uri", ""))),
            line(physical.get("region", {}).get("startLine")),
        )


def _severity(result: dict[str, Any], rule: dict[str, Any]) -> Severity:
    """By the score that GitHub's tools give (0.0 to 10.0), else by level."""
    score = rule.get("properties", {}).get("security-severity")
    if score is not None:
        return Severity.HIGH if float(score) >= 7 else Severity.MEDIUM if float(score) >= 4 else Severity.LOW
    level = result.get("level") or rule.get("defaultConfiguration", {}).get("level", "warning")
    if level not in _LEVELS:
        raise ValueError(f"unknown level {level!r}")
    return _LEVELS[level]
