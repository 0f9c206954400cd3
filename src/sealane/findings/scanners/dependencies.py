"""Reads audits of dependencies: Sealane's own, pip-audit's, safety's and npm's, all JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sealane.findings.model import Finding, Severity
from sealane.findings.scanners.common import Said, line, parse, place, sentence, severity, upgrade

_WORDS = {
    "critical": Severity.HIGH,
    "high": Severity.HIGH,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "info": Severity.LOW,
}
# Sealane's own audit says UNKNOWN where the advisory says nothing: as bad as can be, until somebody says otherwise.
_OWN = {**_WORDS, "unknown": Severity.HIGH}


def own(text: str) -> Said:
    """The report of `stages/scripts/audit`. Raises ReportUnreadable."""
    return parse(text, "dependencies", _own)


def _own(report: Any) -> Said:
    found = tuple(
        Finding(
            "dependencies",
            v["id"],
            severity(v["severity"], _OWN),
            sentence(
                v["package"], f"{v['version']}:", v["summary"] or "known vulnerability", f"({upgrade(v['fixed'][:1])})"
            ),
            place(v["file"]),
            line(v["line"]),
        )
        for v in report["vulnerabilities"]
    )
    return Said(found, _some(report["undecided"]))


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return "; ".join(texts[:3]) + more


def pip_audit(text: str) -> Said:
    """`pip-audit --format json`, which gives no severity: each finding counts as high. Raises ReportUnreadable."""
    return parse(text, "pip-audit", _pip_audit)


def _pip_audit(report: Any) -> Said:
    dependencies = report["dependencies"] if isinstance(report, dict) else report  # a list until version 2.5
    found, skipped = [], []
    for one in dependencies:
        if "skip_reason" in one:
            skipped.append(f"{one['name']}: {one['skip_reason']}")
            continue
        for v in one["vulns"]:
            said = sentence(one["name"], f"{one['version']}:", v.get("description"), f"({upgrade(v['fix_versions'])})")
            found.append(Finding("pip-audit", v["id"], Severity.HIGH, said))
    if not dependencies:
        return Said((), "pip-audit found no dependency to look at")
    return Said(tuple(found), _some(skipped))


def safety(text: str) -> Said:
    """`safety check --json`, of version 2 on, or the list of version 1. Raises ReportUnreadable."""
    return parse(text, "safety", _safety)


def _safety(report: Any) -> Said:
    if isinstance(report, list):
        return Said(tuple(_safety_row(name, version, said, str(rule)) for name, _, version, said, rule in report))
    if not report["report_meta"]["packages_found"]:
        return Said((), "safety found no package to look at")
    found = []
    for v in report["vulnerabilities"]:
        name = v.get("package_name") or v["name"]
        fixed = f"({upgrade(v.get('fixed_versions'))})"
        row = _safety_row(name, v["analyzed_version"], f"{v['advisory']} {fixed}", str(v["vulnerability_id"]))
        found.append(Finding(row.tool, row.rule, _safety_severity(v), row.message))
    return Said(tuple(found))


def _safety_row(name: str, version: str, said: str, rule: str) -> Finding:
    return Finding("safety", rule, Severity.HIGH, sentence(name, f"{version}:", said))


def _safety_severity(vulnerability: dict[str, Any]) -> Severity:
    """Without a licence safety gives none; what it does not say counts as high."""
    given = vulnerability.get("severity") or vulnerability.get("CVE")
    score = given.get("cvssv3") if isinstance(given, dict) else None
    return severity(score["base_severity"], _WORDS) if score else Severity.HIGH


def npm_audit(text: str) -> Said:
    """`npm audit --json` of npm 6 (version 1) or later (version 2). Raises ReportUnreadable."""
    return parse(text, "npm-audit", _npm_audit)


def _npm_audit(report: Any) -> Said:
    if "error" in report:
        raise ValueError(f"npm says: {report['error']}")
    if report.get("auditReportVersion") == 2:
        return Said(tuple(dict.fromkeys(_npm_two(report["vulnerabilities"]))))
    return Said(tuple(_npm_one(advisory) for advisory in report["advisories"].values()))


def _npm_two(vulnerabilities: dict[str, Any]) -> Iterator[Finding]:
    """One finding for each advisory; a name in `via` is another package of the report, and stands there."""
    for package in vulnerabilities.values():
        for v in package["via"]:
            if isinstance(v, str):
                if v not in vulnerabilities:
                    yield Finding(
                        "npm-audit", v, severity(package["severity"], _WORDS), f"{package['name']} by way of {v}"
                    )
                continue
            rule = v["url"].rsplit("/", 1)[-1] or str(v["source"])
            said = sentence(v["name"], f"{v['range']}:", v["title"])
            yield Finding("npm-audit", rule, severity(v["severity"], _WORDS), said)


def _npm_one(advisory: dict[str, Any]) -> Finding:
    version = next((f["version"] for f in advisory.get("findings", [])), "")
    fixed = f"(fixed in {advisory['patched_versions']})" if advisory.get("patched_versions") else ""
    said = sentence(advisory["module_name"], f"{version}:", advisory["title"], fixed)
    rule = advisory.get("github_advisory_id") or str(advisory["id"])
    return Finding("npm-audit", rule, severity(advisory["severity"], _WORDS), said)
