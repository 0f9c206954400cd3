"""Reads and writes SARIF 2.1.0."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from sealane.errors import ReportUnreadable
from sealane.findings.fingerprint import VERSION
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
        rule = result.get("ruleId", "")
        default = rules.get(rule, {}).get("defaultConfiguration", {}).get("level", "warning")
        places = result.get("locations") or [{}]
        place = places[0].get("physicalLocation", {})
        findings.append(
            Finding(
                tool,
                rule.rsplit(".", 1)[-1],
                _LEVELS[result.get("level", default)],
                " ".join(result["message"]["text"].split()),
                unquote(place.get("artifactLocation", {}).get("uri", "")).removeprefix("file:///src/"),
                place.get("region", {}).get("startLine", 0),
                _fix(result),
                result.get("partialFingerprints", {}).get(VERSION, ""),
            )
        )
    return findings


def _fix(result: dict[str, Any]) -> str:
    """What to do, in the tool's words, or what it would write instead."""
    for fix in result.get("fixes", []):
        said = fix.get("description", {}).get("text", "")
        written = [
            change.get("insertedContent", {}).get("text", "")
            for artifact in fix.get("artifactChanges", [])
            for change in artifact.get("replacements", [])
        ]
        return str(said or "\n".join(filter(None, written)))
    return str(result.get("properties", {}).get("fix", ""))


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
    driver: dict[str, Any] = {"name": tool, "rules": [{"id": r} for r in sorted({_rule(f) for f in findings})]}
    if tool == "sealane":
        driver["version"] = version
    compared = any(f.known for f in findings)
    return {"tool": {"driver": driver}, "results": [_write_result(f, compared=compared) for f in findings]}


def _rule(finding: Finding) -> str:
    """A result must have one: where the tool names none, it is the tool itself."""
    return finding.rule or finding.tool


def _write_result(finding: Finding, *, compared: bool) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": _rule(finding),
        "level": _LEVEL_OF[finding.severity],
        "message": {"text": finding.message},
    }
    if finding.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.file, safe="/@+,:~")}}
        if finding.line:
            place["region"] = {"startLine": finding.line}
        result["locations"] = [{"physicalLocation": place}]
    if finding.fingerprint:
        result["partialFingerprints"] = {VERSION: finding.fingerprint}
    if compared:  # the state stands at all results of a run or at none
        result["baselineState"] = "unchanged" if finding.known else "new"
    if finding.waived:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": finding.waived}]
    if finding.fix:
        result["properties"] = {"fix": finding.fix}
    return result
