"""Reads from a Dockerfile what starting its image needs: the last stage's HEALTHCHECK and EXPOSE."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEREDOC = re.compile(r"<<-?([\"']?)([A-Za-z_]\w*)\1")
_ESCAPE = re.compile(r"^#\s*escape\s*=\s*(\S)\s*$", re.IGNORECASE)
_OPTION = re.compile(r"^--([\w-]+)=(\S+)\s+")
_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d+))?(/[^\s\"'|;)]*)?")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """HEALTHCHECK: the command (one text when `shell`), and times in seconds (Docker's own when not said)."""

    command: tuple[str, ...]
    shell: bool
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    retries: int = 3

    @property
    def url(self) -> tuple[int, str] | None:
        """Port and path of the address that the command asks, if it shows one."""
        match = _URL.search(" ".join(self.command))
        return (int(match[1] or 80), match[2] or "/") if match else None


@dataclass(frozen=True, slots=True)
class Facts:
    healthcheck: Healthcheck | None = None
    ports: tuple[int, ...] = ()


@dataclass(slots=True)
class _Stage:
    base: str = ""
    healthcheck: Healthcheck | None = None
    ports: list[int] = field(default_factory=list)


def read(text: str, target: str = "") -> Facts:
    """The facts of the last stage, or of `target`, with what it takes over from stages it is built on."""
    stages: dict[str, _Stage] = {}
    order: list[_Stage] = []
    for word, rest in instructions(text):
        if word == "FROM":
            parts = [p for p in rest.split() if not p.startswith("--")]
            base = stages.get(parts[0].lower()) if parts else None
            stage = _Stage(parts[0] if parts else "", base.healthcheck, list(base.ports)) if base else _Stage()
            name = parts[2].lower() if len(parts) > 2 and parts[1].upper() == "AS" else str(len(order))
            stages[name] = stage
            order.append(stage)
        elif order and word == "HEALTHCHECK":
            order[-1].healthcheck = _healthcheck(rest)
        elif order and word == "EXPOSE":
            order[-1].ports += [int(m[1]) for m in re.finditer(r"(?<!\S)(\d+)(?:/tcp)?(?!\S)", rest)]
    last = stages.get(target.lower()) if target else (order[-1] if order else None)
    return Facts(last.healthcheck, tuple(last.ports)) if last else Facts()


def arguments(text: str) -> frozenset[str]:
    """The names that it declares with ARG."""
    declared = (rest.split() for word, rest in instructions(text) if word == "ARG")
    return frozenset(part.partition("=")[0] for parts in declared for part in parts)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Instruction and the rest of its (joined) line; comments and the bodies of heredocs are left out."""
    lines = iter(text.splitlines())
    escape = "\\"
    joined = ""
    for number, raw in enumerate(lines):
        if number == 0 and (match := _ESCAPE.match(raw)):
            escape = match[1]
        line = raw.strip()
        if line.startswith("#") or (not line and not joined):
            continue
        if line.endswith(escape):
            joined += line[:-1] + " "
            continue
        joined += line
        word, _, rest = joined.strip().partition(" ")
        joined = ""
        if word.upper() in {"RUN", "COPY", "ADD"}:
            for heredoc in _HEREDOC.finditer(rest):
                _skip(lines, heredoc[2])
        yield word.upper(), rest.strip()


def _skip(lines: Iterator[str], end: str) -> None:
    for line in lines:
        if line.strip() == end:
            return


def _healthcheck(rest: str) -> Healthcheck | None:
    options = {}
    while match := _OPTION.match(rest):
        options[match[1]] = match[2]
        rest = rest[match.end() :]
    kind, _, command = rest.partition(" ")
    if kind.upper() != "CMD" or not command.strip():
        return None  # NONE, or something that the build will complain about
    try:
        parsed = json.loads(command)
        words, shell = tuple(str(word) for word in parsed), False
    except (ValueError, TypeError):
        words, shell = (command.strip(),), True
    return Healthcheck(
        words,
        shell,
        seconds(options.get("interval", "")) or 30.0,
        seconds(options.get("timeout", "")) or 30.0,
        seconds(options.get("start-period", "")),
        int(options["retries"]) if options.get("retries", "").isdigit() else 3,
    )


def seconds(duration: str) -> float:
    """`1m30s` → 90.0; 0 when it says nothing."""
    return sum(float(n) * _SECONDS[unit] for n, unit in re.findall(r"([\d.]+)(h|ms|us|ns|m|s)", duration))
