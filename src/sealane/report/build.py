"""A run made into its report: the model of `run.json`, and the directory with every stage's files."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dagger import dag

from sealane import __version__
from sealane.findings import TestOutcome, coverage, junit, sarif, security
from sealane.gates import baseline
from sealane.report import page
from sealane.report.model import CoverageRow, FindingRow, GateRow, NarrowedRow, RunReport, StageRow, SuiteRow, TestRow
from sealane.report.text import markdown

if TYPE_CHECKING:
    import dagger

    from sealane.findings import Finding, Test
    from sealane.gates import Gate
    from sealane.pipeline import Run
    from sealane.stages.result import StageResult


def model(run: Run) -> RunReport:
    return RunReport(
        passed=run.passed,
        whole=run.whole,
        narrowed=_narrowed(run),
        started=datetime.fromtimestamp(run.started, UTC).isoformat(timespec="milliseconds"),
        seconds=run.seconds,
        stages=[stage_row(result, run.started) for result in run.results],
        gates=[gate_row(gate) for gate in run.gates],
    )


def _narrowed(run: Run) -> NarrowedRow | None:
    changes = run.changes
    if changes is None:
        return None
    return NarrowedRow(
        since=changes.since, commit=changes.commit, changed=sorted(changes.files), removed=sorted(changes.removed)
    )


def stage_row(result: StageResult, began: float = 0.0) -> StageRow:
    return StageRow(
        name=result.stage,
        outcome=result.outcome.value,
        reason=result.reason,
        excused=result.excused,
        passed=result.passed,
        start=round(max(0.0, result.started - began), 3) if result.started else None,
        seconds=result.seconds,
        figures=dict(result.figures),
        outputs=dict(result.outputs),
        notes=list(result.notes),
        findings=[_finding(f) for f in result.findings],
        tests=[_test(t) for t in result.tests if t.outcome is not TestOutcome.PASSED],
        suites=_suites(result.tests),
        coverage=[
            CoverageRow(file=f.file, percent=f.percent, lines=len(f.lines), covered=f.covered, missing=f.missing)
            for f in result.coverage
        ],
    )


def gate_row(gate: Gate) -> GateRow:
    row: dict[str, Any] = {**asdict(gate), "verdict": gate.verdict.value}
    return GateRow(**row)


def _finding(finding: Finding) -> FindingRow:
    row: dict[str, Any] = {**asdict(finding), "severity": finding.severity.value}
    return FindingRow(**row)


def _test(test: Test) -> TestRow:
    row: dict[str, Any] = {**asdict(test), "outcome": test.outcome.value}
    return TestRow(**row)


def _suites(tests: tuple[Test, ...]) -> list[SuiteRow]:
    rows = []
    for name in dict.fromkeys(test.suite for test in tests):
        members = [test for test in tests if test.suite == name]
        missing = [test for test in members if test.outcome is TestOutcome.NOT_RUN]
        rows.append(
            SuiteRow(
                name=name,
                tests=len(members) - len(missing),
                failed=sum(test.failed for test in members),
                skipped=sum(test.outcome is TestOutcome.SKIPPED for test in members),
                flaky=sum(test.outcome is TestOutcome.FLAKY for test in members),
                seconds=round(sum(test.seconds for test in members), 3),
                not_run=missing[0].message if missing else "",
            )
        )
    return rows


def _security(run: Run) -> list[Finding]:
    """What scanners found, and bandit, which runs once: with the linters."""
    return [
        f for result in run.results for f in result.findings if result.not_scanned is not None or f.tool == "bandit"
    ]


def directory(run: Run) -> dagger.Directory:
    """Everything the stages left, by the names their tools and the guide give them, and what is made of all of it.

    `baseline.json` has every finding: copied into the project, it makes them known. A narrowed run has none to give.
    """
    report = dag.directory()
    for result in run.results:
        if result.report is not None:
            report = report.with_directory("/", result.report)
    findings = [finding for result in run.results for finding in result.findings]
    tests = [test for result in run.results for test in result.tests]
    covered = [file for result in run.results for file in result.coverage]
    rows = model(run)
    files = {
        "findings.sarif": sarif.write(findings, __version__),
        "run.json": rows.model_dump_json(indent=2) + "\n",
        "summary.md": markdown(rows),
        "report.html": page.render(rows),
    }
    if run.changes is None:
        files["baseline.json"] = baseline.write(findings)
    scanned = [result for result in run.results if result.not_scanned is not None]
    if scanned:
        missing = {name: why for result in scanned for name, why in (result.not_scanned or {}).items()}
        files["security-report.json"] = security.write(_security(run), missing)
    if tests:
        files["junit.xml"] = junit.write(tests)
    if covered:
        files["cobertura.xml"] = coverage.write(covered)
    for name, text in files.items():
        report = report.with_new_file(name, text)
    return report
