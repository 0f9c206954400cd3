"""How bad an advisory is: the word its database gives, else the band of its CVSS 3 base score."""

from __future__ import annotations

from typing import Any

UNKNOWN = "UNKNOWN"
ORDER = (UNKNOWN, "LOW", "MEDIUM", "HIGH", "CRITICAL")
_WORDS = {"LOW": "LOW", "MODERATE": "MEDIUM", "MEDIUM": "MEDIUM", "HIGH": "HIGH", "CRITICAL": "CRITICAL"}
_AV = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_AC = {"L": 0.77, "H": 0.44}
_PR = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
_UI = {"N": 0.85, "R": 0.62}
_IMPACT = {"H": 0.56, "L": 0.22, "N": 0.0}


def of(advisory: dict[str, Any]) -> str:
    """LOW, MEDIUM, HIGH, CRITICAL; UNKNOWN when the advisory does not say it in a way that is understood."""
    places = [advisory, *advisory.get("affected", [])]
    for place in places:
        for part in ("database_specific", "ecosystem_specific"):
            word = (place.get(part) or {}).get("severity")
            if isinstance(word, str) and word.upper() in _WORDS:
                return _WORDS[word.upper()]
    vectors = [s.get("score", "") for p in places for s in p.get("severity", []) if s.get("type") == "CVSS_V3"]
    bands = [band(score) for score in map(cvss3, vectors) if score is not None]
    return max(bands, key=ORDER.index, default=UNKNOWN)


def band(score: float) -> str:
    """The word for a CVSS score."""
    return "CRITICAL" if score >= 9 else "HIGH" if score >= 7 else "MEDIUM" if score >= 4 else "LOW"


def cvss3(vector: str) -> float | None:
    """The base score of a CVSS 3.0 or 3.1 vector, by the equations of its specification; None when it is none."""
    parts = dict(part.split(":", 1) for part in vector.split("/") if ":" in part)
    try:
        changed = parts["S"] == "C"
        missing = [1 - _IMPACT[parts[name]] for name in "CIA"]
        exploit = 8.22 * _AV[parts["AV"]] * _AC[parts["AC"]] * _PR[parts["S"]][parts["PR"]] * _UI[parts["UI"]]
    except KeyError:
        return None
    base = 1 - missing[0] * missing[1] * missing[2]
    impact = 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 if changed else 6.42 * base
    if impact <= 0:
        return 0.0
    return _up(min((impact + exploit) * (1.08 if changed else 1), 10))


def _up(score: float) -> float:
    """To one decimal, upwards; in whole numbers, since 4.02 may be 4.0200000001."""
    whole = round(score * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10
