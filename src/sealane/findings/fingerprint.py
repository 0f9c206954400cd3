"""Names a finding by what it is about, so that a baseline or a waiver holds when its line moves.

A fingerprint is made of tool, rule, file, the text of the line without its white space, and which of several equal
ones it is. The line's number is no part of it, nor is the message where the line's text is known.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sealane.findings.model import Finding

VERSION = "sealane/v1"
_DIGITS = re.compile(r"\d+")


def stamp(findings: Iterable[Finding], sources: Mapping[str, str]) -> tuple[Finding, ...]:
    """The findings in their order, each with its fingerprint. `sources` has the text of the files they lie in."""
    lines = {name: text.splitlines() for name, text in sources.items()}
    listed = list(findings)
    made: dict[int, str] = {}
    seen: Counter[tuple[str, ...]] = Counter()
    # Equal ones are told apart by their order in the file, whatever order the tool printed them in.
    for index in sorted(range(len(listed)), key=lambda i: listed[i].line):
        finding = listed[index]
        what = (finding.tool, finding.rule, finding.file, _about(finding, lines.get(finding.file, [])))
        made[index] = _digest(*what, str(seen[what]))
        seen[what] += 1
    return tuple(replace(finding, fingerprint=made[index]) for index, finding in enumerate(listed))


def _about(finding: Finding, lines: list[str]) -> str:
    """What tells this finding from others of its rule in its file: the line, else the message without its numbers."""
    text = lines[finding.line - 1] if 0 < finding.line <= len(lines) else ""
    return "".join(text.split()) or _DIGITS.sub("#", finding.message)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]
