"""Reads and writes SARIF 2.1.0."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sealane.errors import ReportUnreadable
from sealane.findings.model import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW, "none": Severity.LOW}
_LEVEL_OF = {Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}


def read(text: str, tool: str) -> list[Finding]:
    """The findings of every run that are not suppressed in the source. Raises ReportUnreadable."""
    try:
        return [f for run in json.loads(text)["runs"] for f in _run(run, tool)]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ReportUnreadable(f"{tool}'s SARIF can't be read: {error!r}", hint="Look at the log of scan.") from None


def _run(run: dict[str, Any], tool: str) -> list[Finding]:
    rules = {r["id"]: r for r in run["tool"]["driver"].get("rules", [])}
    findings = []
    for result in run.get("results", []):
        if result.get("suppressions"):
            continue
        rule = result["ruleId"]
        default = rules.get(rule, {}).get("defaultConfiguration", {}).get("level", "warning")
        places = result.get("locations") or [{}]
        place = places[0].get("physicalLocation", {})
        findings.append(
            Finding(
                tool,
                rule.rsplit(".", 1)[-1],
                _LEVELS[result.get("level", default)],
                " ".join(result["message"]["text"].split()),
                place.get("artifactLocation", {}).get("uri", "").removeprefix("file:///src/"),
                place.get("region", {}).get("startLine", 0),
            )
        )
    return findings


def write(findings: Sequence[Finding], version: str) -> str:
    """One SARIF file with a run per tool."""
    tools = sorted({f.tool for f in findings})
    runs = [_write_run(tool, [f for f in findings if f.tool == tool], version) for tool in tools]
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": runs or [_write_run("sealane", [], version)],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _write_run(tool: str, findings: list[Finding], version: str) -> dict[str, Any]:
    driver: dict[str, Any] = {"name": tool, "rules": [{"id": r} for r in sorted({f.rule for f in findings})]}
    if tool == "sealane":
        driver["version"] = version
    return {"tool": {"driver": driver}, "results": [_write_result(f) for f in findings]}


def _write_result(finding: Finding) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": _LEVEL_OF[finding.severity],
        "message": {"text": finding.message},
    }
    if finding.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": finding.file}}
        if finding.line:
            place["region"] = {"startLine": finding.line}
        result["locations"] = [{"physicalLocation": place}]
    return result
