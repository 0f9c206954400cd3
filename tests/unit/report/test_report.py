"""A run's report, and what an engine's events add to it."""

import json

import pytest

from sealane.config.gates import GatesConfig
from sealane.errors import ReportUnreadable
from sealane.findings import Finding, Severity, Test, TestOutcome
from sealane.gates import evaluate
from sealane.pipeline import Run
from sealane.report import RunReport, markdown, merge_events, terminal
from sealane.report.build import model
from sealane.stages.result import Outcome, StageResult, skipped


def run():
    lint = StageResult(
        "lint",
        Outcome.FAILED,
        "flake8",
        findings=(Finding("flake8", "F821", Severity.MEDIUM, "undefined | name", "a.py", 7),),
    )
    test = StageResult(
        "test", Outcome.RAN, figures={"tests": 2, "coverage": 91.5}, tests=(Test("unit", "t", TestOutcome.PASSED),)
    )
    results = (lint, test, skipped("build", "lint failed"))
    return Run(None, results, evaluate(results, GatesConfig()), 0.0, 1.5)


def label(stage):
    return {"sealane.stage": stage}


EVENTS = [
    {"kind": "image", "ref": "python:3.11-slim", "origin": "catalog", "digest": "sha256:1"},
    {"kind": "image", "ref": "python:3.11-slim", "origin": "store", "digest": "sha256:1"},
    {"kind": "cache", "key": "k1", "name": "timeout -k 5 9 black --check", "verdict": "miss", "labels": label("lint")},
    {"kind": "step-start", "key": "k1", "name": "timeout -k 5 9 black --check", "labels": label("lint")},
    {"kind": "log", "key": "k1", "stream": "stdout", "text": "would reformat\n", "labels": label("lint")},
    {
        "kind": "step-end",
        "key": "k1",
        "name": "timeout -k 5 9 black --check",
        "seconds": 1.25,
        "exit_code": 1,
        "labels": label("lint"),
    },
    {"kind": "cache", "key": "k1", "name": "timeout -k 5 9 black --check", "verdict": "hit", "labels": label("lint")},
    {"kind": "cache", "key": "k2", "name": "pytest tests", "verdict": "hit", "labels": label("test")},
    {
        "kind": "service-start",
        "key": "s1",
        "name": "qu5",
        "command": "withExec docker-entrypoint.sh postgres",
        "labels": label("test"),
    },
    {"kind": "log", "key": "s1", "stream": "stderr", "text": "ready\n", "labels": label("test")},
    {"kind": "warning", "message": "images: built here"},
]


def test_without_events_the_report_says_what_it_cannot_know():
    assert "tells neither which steps were cached" in markdown(model(run()))


def test_events_name_each_step_with_its_verdict_and_key(tmp_path):
    (tmp_path / "run.json").write_text(model(run()).model_dump_json())
    report = merge_events(tmp_path, EVENTS)
    lint, test, build = report.stages
    assert [(s.name, s.verdict, s.key, s.seconds, s.exit_code) for s in lint.steps] == [
        ("black --check", "ran", "k1", 1.25, 1)
    ]
    assert (tmp_path / lint.steps[0].log).read_text() == "would reformat\n"
    assert lint.steps[0].log == "logs/lint/01-black-check.log"
    assert [(s.verdict, s.key) for s in test.steps] == [("cached", "k2")]
    assert (tmp_path / "logs/test/service-docker-entrypoint-sh-postgres.log").read_text() == "ready\n"
    assert (lint.verdict, test.verdict, build.verdict) == ("ran", "cached", "unknown")
    assert [(i.ref, i.origin) for i in report.images] == [("python:3.11-slim", "catalog")]
    assert RunReport.model_validate(json.loads((tmp_path / "run.json").read_text())) == report
    summary = (tmp_path / "summary.md").read_text()
    assert "| test | `pytest tests` | cached | `k2` |" in summary
    assert "built here from Debian packages" in summary


def test_a_folder_without_a_run_is_left_alone(tmp_path):
    assert merge_events(tmp_path, EVENTS) is None
    assert list(tmp_path.iterdir()) == []


def test_something_else_as_run_json_is_an_error(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ReportUnreadable):
        merge_events(tmp_path, EVENTS)


def test_the_summary_shows_what_is_wrong_with_its_place():
    text = markdown(model(run()))
    assert "# Pipeline failed" in text
    assert "- a.py:7: undefined | name [flake8 F821, medium]" in text
    assert "skipped because lint failed" in text
    assert "coverage 91.5 %" in text


def test_a_terminal_gets_the_same_without_markup():
    text = terminal(model(run()))
    assert text.splitlines()[0].startswith("✘ lint   failed (flake8)")
    assert "Pipeline failed in 1.5s" in text
