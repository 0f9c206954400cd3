"""What a stage answers: its outcome, its report, and what its tools said."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagger

    from sealane.findings import Finding, Test
    from sealane.findings.coverage import FileCoverage


class Outcome(StrEnum):
    """RAN is good. FAILED: its tools ran and said no. SKIPPED: another stage failed. NOT_RUN: see the reason."""

    RAN = "ran"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class StageResult:
    """One stage's result.

    `broken` marks a stage that should have run and could not (no network, a tool that can't be installed): it counts as
    a failure unless the configuration accepts it by name. A stage with nothing to do is NOT_RUN and not broken.
    `notes` are lines for the reader; `figures` are numbers by name (`coverage` in percent, `tests`, `image bytes`).
    `outputs` are what a CI system hands on (`digest`, `tags` with spaces between).
    `started` is seconds since the epoch, 0 when nobody noted it. `excused` is why a stage that passes would have failed,
    had its findings counted.
    """

    stage: str
    outcome: Outcome
    reason: str = ""
    broken: bool = False
    report: dagger.Directory | None = None
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    tests: tuple[Test, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    image: dagger.Container | None = None
    started: float = 0.0
    coverage: tuple[FileCoverage, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    not_scanned: Mapping[str, str] | None = None
    excused: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.RAN or (self.outcome is Outcome.NOT_RUN and not self.broken)

    @property
    def verdict(self) -> str:
        """The outcome in words, with its reason."""
        if self.outcome is Outcome.SKIPPED:
            return f"skipped because {self.reason}"
        return f"{self.outcome} ({self.reason})" if self.reason else str(self.outcome)

    def noting(self, *notes: str) -> StageResult:
        return replace(self, notes=(*notes, *self.notes))

    def timed(self, seconds: float, started: float = 0.0) -> StageResult:
        return replace(self, seconds=round(seconds, 2), started=started)


def not_run(stage: str, reason: str, *, broken: bool = False, report: dagger.Directory | None = None) -> StageResult:
    return StageResult(stage, Outcome.NOT_RUN, reason, broken=broken, report=report)


def skipped(stage: str, because: str) -> StageResult:
    return StageResult(stage, Outcome.SKIPPED, because)
