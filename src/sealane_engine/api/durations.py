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


def format_duration(seconds: float) -> str:
    """Seconds as Go prints a duration: `0s`, `250ms`, `1.5s`, `1m0s`, `1h0m0s`."""
    if seconds == 0:
        return "0s"
    if seconds < 1:
        unit, size = next((unit, size) for unit, size in (("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)) if seconds >= size)
        return f"{round(seconds / size, 6):g}{unit}"
    minutes, rest = divmod(round(seconds, 9), 60)
    hours, minutes = divmod(int(minutes), 60)
    shown = f"{round(rest, 9):.9f}".rstrip("0").rstrip(".") + "s"
    return f"{hours}h{minutes}m{shown}" if hours else f"{minutes}m{shown}" if minutes else shown
