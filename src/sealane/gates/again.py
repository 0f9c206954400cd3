"""The gates over a report that is there already: the same rows, by the configuration of today, and nothing is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane.findings import Finding, Severity, Test, TestOutcome
from sealane.gates.baseline import Baseline
from sealane.gates.policy import Policy
from sealane.gates.rules import Gate, evaluate, without_bounds
from sealane.stages.result import Outcome, StageResult

if TYPE_CHECKING:
    from sealane.config.gates import GatesConfig
    from sealane.report.model import FindingRow, RunReport, StageRow, TestRow


def results(report: RunReport) -> tuple[StageResult, ...]:
    """The stages as they were before waivers and baseline of that day."""
    return tuple(Policy.undone(_result(row)) for row in report.stages)


def judge(report: RunReport, config: GatesConfig, policy: Policy) -> tuple[tuple[StageResult, ...], tuple[Gate, ...]]:
    """The stages with today's policy applied, and the rows over them."""
    judged = tuple(policy.apply(result) for result in results(report))
    chosen = config if report.whole else without_bounds(config)
    return judged, evaluate(judged, chosen, policy, whole=report.whole and report.narrowed is None)


def of_that_day(report: RunReport, config: GatesConfig) -> Policy:
    """Today's waivers, and for a baseline what the run took from its merge base, which nobody asks again."""
    row = next((row for row in report.gates if row.name == "baseline"), None)
    if row is None:
        return Policy(config.waivers, problem="this report knows no merge base: run the pipeline again")
    if row.verdict == "failed":
        return Policy(config.waivers, problem=row.detail)
    known = {f.fingerprint: f.message for stage in report.stages for f in stage.findings if f.known}
    return Policy(config.waivers, Baseline(known, "as the run had it"))


def _result(row: StageRow) -> StageResult:
    outcome = Outcome(row.outcome)
    return StageResult(
        row.name,
        outcome,
        row.reason,
        broken=outcome is Outcome.NOT_RUN and not row.passed,
        notes=tuple(row.notes),
        findings=tuple(_finding(each) for each in row.findings),
        tests=tuple(_test(each) for each in row.tests),
        figures=row.figures,
        seconds=row.seconds,
        excused=row.excused,
    )


def _finding(row: FindingRow) -> Finding:
    return Finding(**{**row.model_dump(), "severity": Severity(row.severity)})


def _test(row: TestRow) -> Test:
    return Test(**{**row.model_dump(), "outcome": TestOutcome(row.outcome)})
