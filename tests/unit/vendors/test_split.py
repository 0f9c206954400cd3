"""The split shape: one job per stage, and the one that puts their reports together and judges the gates over them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sealane.cli import vendor_gates
from sealane.config import CiConfig
from sealane.errors import PipelineFailed, ReportUnreadable, UsageError
from sealane.report.model import FindingRow, RunReport, StageRow
from sealane.vendors.render import FILES, render
from sealane.vendors.shape import ALONE, Shape

STAGES = ("lint", "test", "scan", "build", "image-scan", "sbom")
# How each vendor's gates get the reports, and what lets them run though a stage failed.
COLLECTS = {
    "github": ("uses: actions/download-artifact@", 'if: "!cancelled()"'),
    "gitlab": ('needs: ["lint", "test", "scan", "build", "image-scan", "sbom"]\n  when: always',),
    "circleci": ("attach_workspace: {at: .}", "gates: {requires: [lint: terminal, test: terminal,"),
    "jenkins": ("stage('Gates')", "catchError("),
    "azure": ("DownloadPipelineArtifact@2", "condition: not(canceled())"),
    "bitbucket": ("{final: *gates}", "capture-on: always"),
    "buildkite": ("buildkite-agent artifact download", "allow_dependency_failure: true"),
    "teamcity": ('"?:report/lint/run.json => out/lint"', "onDependencyFailure = FailureAction.ADD_PROBLEM"),
    "woodpecker": ("when: [{status: [success, failure]}]",),
    "tekton": ("  finally:",),
    "argo": ('from: "{{tasks.lint.outputs.artifacts.report}}"', "lint.Failed || lint.Errored", "failFast: false"),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sealane.toml").write_text('stages = ["lint", "scan", "build"]\n')
    return tmp_path


def left(stage: str, *findings: FindingRow, passed: bool = True) -> None:
    """What the job of a stage leaves."""
    row = StageRow(name=stage, outcome="ran" if passed else "failed", passed=passed, seconds=1, findings=list(findings))
    report = RunReport(
        passed=passed, whole=False, started="2026-11-26T02:00:00.000+00:00", seconds=1, stages=[row], gates=[]
    )
    folder = Path("out", stage)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(report.model_dump_json())


@pytest.mark.parametrize("vendor", FILES)
def test_the_gates_get_all_reports_and_run_though_a_stage_failed(vendor: str):
    text = "".join(render(vendor, CiConfig(command="ci/sealane"), Shape(split=True)).values())
    if vendor in ALONE:
        assert "gates" not in text
    else:
        assert text.count("ci run --only gates") == 1
        assert all(word in text for word in COLLECTS[vendor])
        assert all(f"out/{stage}" in text for stage in STAGES) or vendor in ("jenkins", "woodpecker", "tekton")
    assert "gates" not in "".join(render(vendor, CiConfig()).values())


def test_the_gates_of_all_stages_are_one_report(project: Path, capsys: pytest.CaptureFixture[str]):
    for stage in ("lint", "scan", "build"):
        left(stage)
    assert vendor_gates.judge(Path("out"), Path()) == 0
    whole = RunReport.model_validate_json(Path("out/run.json").read_text())
    assert whole.whole
    assert whole.passed
    assert [stage.name for stage in whole.stages] == ["lint", "scan", "build"]
    assert "no high finding" in capsys.readouterr().out
    assert "no high finding" in Path("out/summary.md").read_text()


def test_a_gate_over_all_stages_fails_though_each_passed(project: Path):
    (project / "sealane.toml").write_text('stages = ["scan", "image-scan"]\ngates.medium = 1\n')
    for stage in ("scan", "image-scan"):
        left(
            stage,
            FindingRow(tool="x", rule=stage, severity="medium", message=stage, file=f"{stage}.py", fingerprint=stage),
        )
    with pytest.raises(PipelineFailed) as caught:
        vendor_gates.judge(Path("out"), Path())
    assert caught.value.reason == "gates-failed"
    assert not json.loads(Path("out/run.json").read_text())["passed"]


def test_a_stage_whose_job_left_nothing_is_not_run_and_no_gate_passes_it(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    left("lint", passed=False)
    left("scan")
    with pytest.raises(PipelineFailed):
        vendor_gates.judge(Path("out"), Path())
    said = capsys.readouterr().out
    assert "build passes" in said
    assert "its job left no report" in said


def test_where_no_job_left_anything_nothing_is_judged(project: Path):
    with pytest.raises(ReportUnreadable) as caught:
        vendor_gates.judge(Path("out"), Path())
    assert caught.value.reason == "no-report"


def test_a_report_that_the_repository_brought_along_is_refused(project: Path):
    left("scan")
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "-f", "out"], check=True)
    left("lint")
    with pytest.raises(ReportUnreadable) as caught:
        vendor_gates.judge(Path("out"), Path())
    assert caught.value.reason == "planted-report"
    assert "out/scan/run.json" in str(caught.value)


def test_a_stage_is_stopped_by_one_that_it_needs_alone(project: Path):
    left("lint")
    left("test", passed=False)
    assert vendor_gates.stops("build", Path("out")) == "test"
    assert vendor_gates.stops("scan", Path("out")) == ""
    assert vendor_gates.stops("sbom", Path("out")) == ""


@pytest.mark.parametrize("name", ["../x", "/etc", "lint/..", "nothing"])
def test_a_job_for_no_stage_is_an_error(name: str):
    with pytest.raises(UsageError) as caught:
        vendor_gates.checked(name)
    assert caught.value.reason == "no-such-stage"
