"""Reads scanners of secrets: gitleaks (JSON, SARIF) and TruffleHog (a JSON object a line). The secret itself is left out."""

from __future__ import annotations

import json
from typing import Any

from sealane.findings.model import Finding, Severity
from sealane.findings.scanners import sarif
from sealane.findings.scanners.common import Said, bounded, check, line, parse, place, sentence, unreadable

# What TruffleHog's log says when it came to its end; without findings there is nothing else to tell it by.
_FINISHED = "finished scanning"


def gitleaks(text: str) -> Said:
    """Raises ReportUnreadable."""
    check(text, "gitleaks")
    if text.lstrip().startswith("{"):
        return sarif.read(text, "gitleaks", always=Severity.HIGH)
    return parse(text, "gitleaks", _gitleaks)


def _gitleaks(report: Any) -> Said:
    if not isinstance(report, list):
        raise TypeError("it is no list")
    return Said(
        tuple(
            Finding(
                "gitleaks",
                leak["RuleID"],
                Severity.HIGH,
                sentence(leak["Description"], _commit(leak.get("Commit"))),
                place(leak["File"]),
                line(leak["StartLine"]),
            )
            for leak in report
        )
    )


def _commit(commit: object) -> str:
    return f"in commit {str(commit)[:12]}" if commit else ""


def trufflehog(text: str) -> Said:
    """`trufflehog … --json`, best with its log (standard error) behind it. Raises ReportUnreadable."""
    check(text, "trufflehog")
    found, finished, errors = [], False, []
    for number, raw in enumerate(text.splitlines(), 1):
        if not raw.strip():
            continue
        try:
            entry = json.loads(raw)
            if "DetectorName" in entry:
                found.append(_trufflehog(entry))
            elif "level" in entry:
                finished = finished or entry.get("msg") == _FINISHED
                errors += [str(entry.get("error") or entry["msg"])] if entry["level"] in {"error", "fatal"} else []
            else:
                raise ValueError("neither a finding nor a line of the log")  # noqa: TRY301 - said with the line's number
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise unreadable("trufflehog", f"line {number}: {error!r}"[:300]) from None
    if errors:
        return bounded(Said(tuple(found), f"trufflehog: {'; '.join(errors[:3])}"), "trufflehog")
    missing = "" if found or finished else f'trufflehog\'s log does not say "{_FINISHED}"'
    return bounded(Said(tuple(found), missing), "trufflehog")


def _trufflehog(entry: dict[str, Any]) -> Finding:
    """Verified or not, it counts: an issuer that can't be asked is no proof of a key's death."""
    (source,) = entry["SourceMetadata"]["Data"].values()
    sure = "which its issuer accepts" if entry.get("Verified") else "not verified"
    said = sentence(f"a secret of {entry['DetectorName']},", sure, _commit(source.get("commit")))
    return Finding(
        "trufflehog", entry["DetectorName"], Severity.HIGH, said, place(source.get("file")), line(source.get("line"))
    )
