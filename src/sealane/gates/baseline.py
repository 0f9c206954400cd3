"""The baseline: the findings that are known, from a file of the project or from a merge base. Only others count."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane.errors import ReportUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sealane.findings import Finding

VERSION = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """Fingerprint → what it is, for people. `origin` says where a baseline is from that is not a file."""

    known: Mapping[str, str]
    origin: str = ""

    def fixed(self, found: Iterable[Finding]) -> tuple[str, ...]:
        """What the baseline knows and nobody finds any more."""
        there = {finding.fingerprint for finding in found}
        return tuple(said for fingerprint, said in self.known.items() if fingerprint not in there)


def read(text: str, name: str) -> Baseline:
    """Raises ReportUnreadable."""
    hint = "Take baseline.json from the report of a run."
    try:
        document = json.loads(text)
        if document["version"] != VERSION:
            raise ReportUnreadable(f"{name} is a baseline of version {document['version']}", hint=hint)
        return Baseline({str(row["fingerprint"]): str(row["what"]) for row in document["findings"]})
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReportUnreadable(f"{name} is no baseline: {error!r}", hint=hint) from None


def write(findings: Iterable[Finding]) -> str:
    """All findings as a baseline, in an order that makes small differences. What a tool's crash says is left out."""
    rows = [
        {"fingerprint": f.fingerprint, "file": f.file, "rule": f"{f.tool} {f.rule}", "what": str(f)}
        for f in findings
        if f.fingerprint and f.rule
    ]
    rows.sort(key=lambda row: (row["file"], row["rule"], row["fingerprint"]))
    return json.dumps({"version": VERSION, "findings": rows}, indent=1, ensure_ascii=False) + "\n"
