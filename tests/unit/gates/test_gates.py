"""Gates fail closed."""

from sealane.config.gates import GatesConfig
from sealane.findings import Finding, Severity
from sealane.gates import Verdict, evaluate
from sealane.stages.result import Outcome, StageResult, not_run

HIGH = Finding("bandit", "B602", Severity.HIGH, "shell")


def verdicts(*results, **config):
    return {g.name: g.verdict for g in evaluate(results, GatesConfig(**config))}


def test_coverage_below_the_minimum_fails():
    result = StageResult("test", Outcome.RAN, figures={"coverage": 79.99})
    assert verdicts(result)["coverage ≥ 80 %"] is Verdict.FAILED
    assert verdicts(StageResult("test", Outcome.RAN, figures={"coverage": 80}))["coverage ≥ 80 %"] is Verdict.PASSED


def test_a_gate_without_figures_is_not_measured():
    assert verdicts(not_run("test", "no tests"))["coverage ≥ 80 %"] is Verdict.NOT_MEASURED


def test_high_findings_count_from_lint_and_scan():
    found = verdicts(StageResult("lint", Outcome.FAILED, findings=(HIGH,)), StageResult("scan", Outcome.RAN))
    assert found["no high finding"] is Verdict.FAILED


def test_a_scanner_that_could_not_run_fails_unless_accepted():
    broken = not_run("scan", "no network", broken=True)
    assert verdicts(broken)["scan passes"] is Verdict.FAILED
    assert verdicts(broken)["no high finding"] is Verdict.NOT_MEASURED
    assert verdicts(broken, accept={"scan": "offline"})["scan passes"] is Verdict.ACCEPTED


def test_acceptance_does_not_cover_a_failure():
    assert verdicts(StageResult("scan", Outcome.FAILED), accept={"scan": "x"})["scan passes"] is Verdict.FAILED
