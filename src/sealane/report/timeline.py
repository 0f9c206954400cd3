"""When each stage and step ran, and which of them decided when the run ended: the critical path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealane.report.model import RunReport, StageRow

_SLACK = 0.05  # seconds between the end of one and the start of what waited for it


class Span(Protocol):
    """A stage or a step."""

    @property
    def start(self) -> float | None: ...

    @property
    def seconds(self) -> float: ...


_T = TypeVar("_T", bound=Span)


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: `left` and `width` in percent of the run. `kind` is stage or step; `state` cached, ran or failed."""

    kind: str
    name: str
    state: str
    start: float
    seconds: float
    left: float
    width: float
    critical: bool
    log: str = ""


def bars(report: RunReport) -> list[Bar]:
    """Stages in their order, each with its steps by their start. Empty when nobody noted when they started."""
    stages = [row for row in report.stages if row.start is not None]
    total = max([report.seconds, *(_end(row) for row in stages)], default=0.0) or 1.0
    path = critical([row for row in stages if row.seconds])
    found = []
    for row in stages:
        decisive = row in path
        found.append(_bar("stage", row.name, _state(row), row, total, critical=decisive))
        steps = sorted((s for s in row.steps if s.start is not None), key=lambda s: s.start or 0.0)
        chain = critical([s for s in steps if s.seconds]) if decisive else []
        for step in steps:
            state = "failed" if step.exit_code else step.verdict
            found.append(_bar("step", step.name, state, step, total, critical=step in chain, log=_inside(step.log)))
    return found


def critical(spans: Sequence[_T]) -> list[_T]:
    """From the last to end back to the first: before each, what ended last of all that ended when it began."""
    path: list[_T] = []
    left = sorted((span for span in spans if span.start is not None), key=_end)
    while left:
        path.append(left.pop())
        begun = (path[-1].start or 0.0) + _SLACK
        left = [span for span in left if _end(span) <= begun]
    return path[::-1]


def _inside(log: str) -> str:
    """The path of a log, where it is one of the report's: a page's link may lead nowhere else."""
    return log if log.startswith("logs/") else ""


def _end(span: Span) -> float:
    return (span.start or 0.0) + span.seconds


def _state(row: StageRow) -> str:
    if row.outcome == "failed" or (row.outcome == "not run" and not row.passed):
        return "failed"
    return "cached" if row.verdict == "cached" else row.outcome


def _bar(kind: str, name: str, state: str, span: Span, total: float, *, critical: bool, log: str = "") -> Bar:
    start = span.start or 0.0
    left = min(100.0, 100 * start / total)
    width = min(100.0 - left, 100 * span.seconds / total)
    return Bar(kind, name, state, start, span.seconds, round(left, 2), round(width, 2), critical, log)
