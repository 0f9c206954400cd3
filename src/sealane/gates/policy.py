"""Which findings do not count: those the baseline knows, and those that are waived until a day."""

from __future__ import annotations

import datetime as dt
import fnmatch
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dagger import DaggerError

from sealane.errors import ReportUnreadable
from sealane.gates import baseline
from sealane.stages.result import Outcome, StageResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sealane.config.gates import GatesConfig, Waiver
    from sealane.findings import Finding
    from sealane.gates.baseline import Baseline
    from sealane.stages.project import Project

# Of a stage's notes, those that do not tell of a part that could not run.
_EXCUSED = "findings that do not count: "
_HARMLESS = (
    "clean: ",
    "mypy: ran without the project's requirements",
    "pylint: ran without the project's requirements",
    "not run (accepted): ",
    "not scanned (accepted): ",
    "narrowed: ",
    "not narrowed: ",
    "nothing to scan: ",
    "scanned: ",
)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


@dataclass(frozen=True, slots=True)
class Policy:
    """Waivers and baseline, as of `today`. `problem` says why a baseline that is configured can't be used."""

    waivers: tuple[Waiver, ...] = ()
    baseline: Baseline | None = None
    problem: str = ""
    today: dt.date = field(default_factory=_today)

    def apply(self, result: StageResult) -> StageResult:
        """The result with its excused findings marked; it passes when nothing else was wrong with it."""
        findings = tuple(self._judge(finding) for finding in result.findings)
        marked = replace(result, findings=findings)
        known, waived = sum(f.known for f in findings), sum(bool(f.waived) for f in findings)
        if not known + waived:
            return marked
        said = ", ".join(text for number, text in ((known, f"{known} known"), (waived, f"{waived} waived")) if number)
        marked = replace(marked, notes=(*result.notes, f"{_EXCUSED}{said}"))
        if result.outcome is Outcome.FAILED and _nothing_else_wrong(result, findings):
            return replace(marked, outcome=Outcome.RAN, reason="", excused=result.reason or "its findings")
        return marked

    @staticmethod
    def undone(result: StageResult) -> StageResult:
        """The result as it was before any policy was applied."""
        findings = tuple(replace(finding, known=False, waived="") for finding in result.findings)
        notes = tuple(note for note in result.notes if not note.startswith(_EXCUSED))
        plain = replace(result, findings=findings, notes=notes, excused="")
        return replace(plain, outcome=Outcome.FAILED, reason=result.excused) if result.excused else plain

    def _judge(self, finding: Finding) -> Finding:
        if not finding.rule:  # a tool that broke down, which nobody may excuse
            return finding
        known = self.baseline is not None and finding.fingerprint in self.baseline.known
        waiver = next((w for w in self.waivers if w.expires >= self.today and matches(w, finding)), None)
        said = f"{waiver.reason} ({waiver.owner}, until {waiver.expires})" if waiver else ""
        return replace(finding, known=known and not said, waived=said)

    def expired(self) -> tuple[Waiver, ...]:
        return tuple(w for w in self.waivers if w.expires < self.today)

    def stale(self, found: Sequence[Finding]) -> tuple[Waiver, ...]:
        """Waivers that are in force and match nothing."""
        current = (w for w in self.waivers if w.expires >= self.today)
        return tuple(w for w in current if not any(matches(w, finding) for finding in found))


def _nothing_else_wrong(result: StageResult, findings: Iterable[Finding]) -> bool:
    """Whether a stage failed for findings alone, and none of those that make it fail is left."""
    if any(test.failed for test in result.tests) or not all(note.startswith(_HARMLESS) for note in result.notes):
        return False
    # Every linter's finding fails lint; scan fails for those of high severity, and says how many.
    left = [f for f in findings if f.counts]
    return not any(f.severity == "high" for f in left) if "high" in result.figures else not left


def matches(waiver: Waiver, finding: Finding) -> bool:
    if waiver.fingerprint:
        return waiver.fingerprint == finding.fingerprint
    return waiver.rule == finding.rule and fnmatch.fnmatchcase(finding.file, waiver.path)


def of(config: GatesConfig, text: str | None) -> Policy:
    """What the configuration says; `text` is what its baseline file holds, None when there is no such file."""
    if config.baseline is None:
        return Policy(config.waivers)
    if text is None:
        return Policy(config.waivers, problem=f"{config.baseline} is not in the project, or can't be read")
    try:
        return Policy(config.waivers, baseline.read(text, config.baseline))
    except ReportUnreadable as error:
        return Policy(config.waivers, problem=error.message)


async def load(project: Project) -> Policy:
    """What the project's configuration says, with its baseline read."""
    config = project.config.gates
    try:
        return of(config, await project.source.file(config.baseline).contents() if config.baseline else None)
    except DaggerError:
        return of(config, None)
