"""How bad an advisory is: the word its database gives, else the band of its CVSS base score, of version 2, 3 or 4."""

from __future__ import annotations

from typing import Any

from cvss import CVSS2, CVSS3, CVSS4, CVSSError

UNKNOWN = "UNKNOWN"
ORDER = (UNKNOWN, "LOW", "MEDIUM", "HIGH", "CRITICAL")
_WORDS = {"LOW": "LOW", "MODERATE": "MEDIUM", "MEDIUM": "MEDIUM", "HIGH": "HIGH", "CRITICAL": "CRITICAL"}
_CVSS = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}


def of(advisory: dict[str, Any]) -> str:
    """LOW, MEDIUM, HIGH, CRITICAL; UNKNOWN when the advisory does not say it in a way that is understood.

    Of several vectors the worst counts.
    """
    places = [advisory, *advisory.get("affected", [])]
    for place in places:
        for part in ("database_specific", "ecosystem_specific"):
            word = (place.get(part) or {}).get("severity")
            if isinstance(word, str) and word.upper() in _WORDS:
                return _WORDS[word.upper()]
    bands = [band(s.get("type"), s.get("score")) for place in places for s in place.get("severity") or []]
    return max(bands, key=ORDER.index, default=UNKNOWN)


def band(kind: object, vector: object) -> str:
    """The word for a vector of one of OSV's kinds, `CVSS_V2` to `CVSS_V4`; a score of 0 is LOW.

    UNKNOWN for another kind, and for a vector that is none. The bands are FIRST's; version 2 has those of the NVD, in
    which nothing is critical.
    """
    if kind not in _CVSS or not isinstance(vector, str):
        return UNKNOWN
    try:
        word = _CVSS[kind](vector.strip()).severities()[0].upper()
    except CVSSError:
        return UNKNOWN
    return "LOW" if word == "NONE" else word
