"""`sealane gates` judges a report that is there, by what the project's configuration says now."""

import json

import pytest

from sealane.cli.main import run
from sealane.config.gates import GatesConfig
from sealane.findings import Finding, Severity
from sealane.gates import Policy, evaluate
from sealane.pipeline import Run
from sealane.report import build
from sealane.stages.result import Outcome, StageResult

LOW = Finding("black", "format", Severity.LOW, "would be reformatted", "a.py", 1, fingerprint="b" * 32)
HIGH = Finding("semgrep", "eval", Severity.HIGH, "eval", "a.py", 3, fingerprint="a" * 32)


@pytest.fixture
def report(tmp_path, monkeypatch):
    """A report in `out/` whose lint failed for one finding, with 85 % coverage; more results may be given."""
    monkeypatch.chdir(tmp_path)

    def write(*more, whole=True, config=None):
        config = config or GatesConfig()
        lint = StageResult("lint", Outcome.FAILED, "black", findings=(LOW,), notes=("clean: mypy",))
        test = StageResult("test", Outcome.RAN, figures={"coverage": 85.0})
        results = tuple(Policy(config.waivers).apply(each) for each in (lint, test, *more))
        gates = evaluate(results, config, Policy(config.waivers), whole=whole)
        model = build.model(Run(None, results, gates, 0.0, 1.0, whole=whole))
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out/run.json").write_text(model.model_dump_json())
        return model

    return write


def configure(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(f"[tool.sealane.gates]\n{text}\n")


def rows(capsys):
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def test_the_same_configuration_gives_the_same_rows_and_exit_code(report, capsys):
    model = report()
    assert run(["gates", "--json"]) == 1
    assert list(rows(capsys).values()) == [gate.model_dump() for gate in model.gates]


def test_a_threshold_of_today_holds(report, capsys, tmp_path):
    report()
    configure(tmp_path, "coverage = 86")
    assert run(["gates", "out", "--json"]) == 1
    row = rows(capsys)["coverage ≥ 86 %"]
    assert (row["verdict"], row["measured"], row["look"]) == ("failed", "85 %", "test")


def test_a_figure_that_nobody_measured_is_not_measured(report, capsys):
    report()
    run(["gates", "--json"])
    found = rows(capsys)
    assert found["throughput ≥ 1000 rps"]["verdict"] == "not measured"
    assert found["average response ≤ 500 ms"]["verdict"] == "not measured"


def test_the_figures_of_a_load_are_judged(report, capsys):
    report(StageResult("load", Outcome.RAN, figures={"response average ms": 501, "throughput rps": 999.5}))
    run(["gates", "--json"])
    found = rows(capsys)
    assert (found["throughput ≥ 1000 rps"]["verdict"], found["throughput ≥ 1000 rps"]["measured"]) == (
        "failed",
        "999.5 rps",
    )
    assert found["average response ≤ 500 ms"]["verdict"] == "failed"


def test_todays_findings_become_the_baseline_and_then_only_new_ones_fail(report, capsys, tmp_path):
    report()
    assert run(["gates", "--write-baseline"]) == 0
    assert 'baseline = "sealane-baseline.json"' in capsys.readouterr().out
    configure(tmp_path, 'baseline = "sealane-baseline.json"')
    assert run(["gates", "--json"]) == 0
    assert rows(capsys)["lint passes"]["verdict"] == "passed"
    report(StageResult("scan", Outcome.FAILED, "1 high", findings=(HIGH,), figures={"findings": 1, "high": 1}))
    assert run(["gates", "--json"]) == 1
    assert rows(capsys)["baseline"]["detail"].startswith("1 known, 1 new")


def test_a_waiver_that_is_gone_counts_again(report, capsys, tmp_path):
    waived = (
        '[[tool.sealane.gates.waivers]]\nfingerprint = "'
        + "b" * 32
        + '"\nreason = "r"\nowner = "o"\nexpires = 2999-01-01'
    )
    (tmp_path / "pyproject.toml").write_text(waived)
    from sealane.cli.gates import read_config

    model = report(config=read_config(tmp_path).gates)
    assert model.stages[0].outcome == "ran"
    assert run(["gates", "--json"]) == 0
    assert rows(capsys)["lint passes"]["verdict"] == "passed"
    (tmp_path / "pyproject.toml").unlink()
    assert run(["gates", "--json"]) == 1
    assert rows(capsys)["lint passes"] == {
        "name": "lint passes", "verdict": "failed", "detail": "black", "measured": "", "threshold": "", "look": "lint",
    }  # fmt: skip


def test_one_stage_alone_has_no_rows_of_a_whole_run(report, capsys):
    report(whole=False)
    run(["gates", "--json"])
    assert list(rows(capsys)) == ["lint passes", "test passes"]


def apart(tmp_path, model):
    """A report's stages, each in a folder of its own, as the jobs of a split wrapper leave them."""
    for stage in model.stages:
        (tmp_path / stage.name).mkdir()
        one = model.model_copy(update={"stages": [stage], "gates": [], "whole": False})
        (tmp_path / stage.name / "run.json").write_text(one.model_dump_json())


def test_the_reports_of_each_stage_are_judged_as_one_run(report, capsys, tmp_path):
    apart(tmp_path, report())
    (tmp_path / "pyproject.toml").write_text('[tool.sealane]\nstages = ["lint", "test"]\n')
    run(["gates", "--json"])
    together = rows(capsys)
    assert run(["gates", "test", "lint", "--json"]) != 0
    assert rows(capsys) == together
    assert "coverage target ≥ 90 %" in together


@pytest.mark.parametrize(
    ("folders", "said"),
    [(["lint", "test"], "no report tells of scan"), (["lint", "test", "lint"], "two reports tell of lint")],
)
def test_reports_that_are_not_one_whole_run_are_not_judged(folders, said, report, capsys, tmp_path):
    apart(tmp_path, report())
    (tmp_path / "pyproject.toml").write_text('[tool.sealane]\nstages = ["lint", "test", "scan"]\n')
    assert run(["gates", *folders]) != 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"), [(None, "there is no report of a run"), ("{}", "is no report of a run"), ("\xff", "is no report")]
)
def test_what_is_no_report_is_said(text, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    assert run(["gates", "."]) == 1
    assert said in capsys.readouterr().err


def test_a_baseline_that_is_not_there_fails_its_row(report, capsys):
    report()
    assert run(["gates", "--baseline", "none.json", "--json"]) == 1
    assert "none.json is not in the project" in rows(capsys)["baseline"]["detail"]
