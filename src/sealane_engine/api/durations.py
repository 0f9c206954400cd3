"""Durations as Go writes them: `10s`, `1m30s`, `250ms`."""

from __future__ import annotations

import re

from sealane_engine.errors import InvalidInput

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


def parse_duration(text: str | None, default: float) -> float:
    """Seconds; `default` when there is no text."""
    if not text:
        return default
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidInput(f"invalid duration {text!r}", reason="duration", hint="write it like 10s, 1m30s or 250ms")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
