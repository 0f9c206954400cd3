"""The critical path: what decided when the run ended."""

from sealane.report import timeline
from sealane.report.model import RunReport, StageRow, StepRow


def stage(name, start, seconds, *steps, outcome="ran"):
    return StageRow(name=name, outcome=outcome, passed=True, start=start, seconds=seconds, steps=list(steps))


def step(name, start, seconds, **values):
    verdict = "ran" if seconds else "cached"
    return StepRow(name=name, verdict=verdict, key=name, start=start, seconds=seconds, **values)


def run(*stages, seconds=10.0):
    return RunReport(passed=True, started="2026-11-23T12:00:00+00:00", seconds=seconds, stages=list(stages), gates=[])


def critical(report):
    return [bar.name for bar in timeline.bars(report) if bar.critical]


def test_the_slowest_of_those_that_start_together_leads_to_the_end():
    steps = (step("install", 0, 1), step("pytest", 1.01, 5), step("other", 0, 2))
    report = run(stage("lint", 0, 2, step("black", 0, 2)), stage("test", 0, 6.1, *steps), stage("build", 6.1, 3.9))
    assert critical(report) == ["test", "install", "pytest", "build"]


def test_a_stage_that_was_skipped_decides_nothing():
    assert critical(run(stage("lint", 0, 5), stage("build", 5, 0.0, outcome="skipped"))) == ["lint"]


def test_bars_are_percent_of_the_run():
    bars = timeline.bars(run(stage("lint", 2.5, 5)))
    assert [(bar.left, bar.width) for bar in bars] == [(25.0, 50.0)]


def test_a_step_that_failed_is_told_from_one_that_ran():
    bars = timeline.bars(run(stage("lint", 0, 5, step("black", 0, 1, exit_code=1), step("mypy", 1, 0))))
    assert [bar.state for bar in bars] == ["ran", "failed", "cached"]


def test_a_run_without_times_has_no_timeline():
    assert timeline.bars(run(stage("lint", None, 5))) == []
