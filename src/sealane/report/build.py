"""A run made into its report: the model of `run.json`, and the directory with every stage's files."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dagger import dag

from sealane import __version__
from sealane.findings import TestOutcome, sarif
from sealane.report.model import FindingRow, GateRow, RunReport, StageRow, TestRow
from sealane.report.text import markdown

if TYPE_CHECKING:
    import dagger

    from sealane.findings import Finding, Test
    from sealane.pipeline import Run
    from sealane.stages.result import StageResult


def model(run: Run) -> RunReport:
    return RunReport(
        passed=run.passed,
        started=datetime.fromtimestamp(run.started, UTC).isoformat(timespec="seconds"),
        seconds=run.seconds,
        stages=[stage_row(result) for result in run.results],
        gates=[GateRow(name=g.name, verdict=g.verdict.value, detail=g.detail) for g in run.gates],
    )


def stage_row(result: StageResult) -> StageRow:
    return StageRow(
        name=result.stage,
        outcome=result.outcome.value,
        reason=result.reason,
        passed=result.passed,
        seconds=result.seconds,
        figures=dict(result.figures),
        notes=list(result.notes),
        findings=[_finding(f) for f in result.findings],
        tests=[_test(t) for t in result.tests if t.outcome is not TestOutcome.PASSED],
    )


def _finding(finding: Finding) -> FindingRow:
    row: dict[str, Any] = {"severity": finding.severity.value}
    return FindingRow(
        tool=finding.tool, rule=finding.rule, message=finding.message, file=finding.file, line=finding.line, **row
    )


def _test(test: Test) -> TestRow:
    row: dict[str, Any] = {"outcome": test.outcome.value}
    return TestRow(suite=test.suite, name=test.name, message=test.message, file=test.file, line=test.line, **row)


def directory(run: Run) -> dagger.Directory:
    """Everything the stages left, by the names their tools and the guide give them, and `run.json`, `summary.md`."""
    report = dag.directory()
    for result in run.results:
        if result.report is not None:
            report = report.with_directory("/", result.report)
    findings = [finding for result in run.results for finding in result.findings]
    rows = model(run)
    return (
        report.with_new_file("findings.sarif", sarif.write(findings, __version__))
        .with_new_file("run.json", rows.model_dump_json(indent=2) + "\n")
        .with_new_file("summary.md", markdown(rows))
    )
