"""Reads coverage's XML report (the Cobertura form)."""

from __future__ import annotations

import re

from sealane.errors import ReportUnreadable

_ROOT = re.compile(r"<coverage\b[^>]*>")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


def percent(text: str) -> float:
    """How much is covered, in percent, as `coverage report` counts: branches too, when they were measured.

    Only the root element is read, since a large project's report is megabytes. Raises ReportUnreadable.
    """
    root = _ROOT.search(text[:100_000])
    if root is None:
        raise ReportUnreadable("coverage.xml has no <coverage> element", hint="Look at the log of the unit tests.")
    figures = dict(_ATTRIBUTE.findall(root[0]))
    try:
        valid = int(figures["lines-valid"]) + int(figures.get("branches-valid", 0))
        covered = int(figures["lines-covered"]) + int(figures.get("branches-covered", 0))
    except (KeyError, ValueError) as error:
        raise ReportUnreadable(f"coverage.xml has no figures: {error!r}", hint="Look at the unit tests' log.") from None
    return round(100 * covered / valid, 2) if valid else 100.0
