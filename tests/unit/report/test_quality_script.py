"""The sample's scripts/quality-gate.sh over reports as a run writes them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealane.config.gates import GatesConfig
from sealane.findings import Finding, Severity, security
from sealane.findings.locust import Load, Request
from sealane.gates import Policy, evaluate
from sealane.pipeline import Run
from sealane.report import build
from sealane.stages.result import Outcome, StageResult

SCRIPT = Path(__file__).parents[3] / "examples/sutazai/scripts/quality-gate.sh"
HIGH = Finding("semgrep", "eval", Severity.HIGH, "eval", "a.py", 3)


def request_of(average):
    return Request("Aggregated", 10, 0, average, average, average, 2000.0)


def write(folder, *, coverage=91.0, findings=(), average=None):
    figures = {} if coverage is None else {"coverage": coverage}
    ran = [StageResult("lint", Outcome.RAN), StageResult("test", Outcome.RAN, figures=figures)]
    ran.append(StageResult("scan", Outcome.RAN, findings=findings))
    gates = evaluate(ran, GatesConfig(), Policy(()))
    (folder / "run.json").write_text(build.model(Run(None, tuple(ran), gates, 0.0, 1.0)).model_dump_json())
    (folder / "security-report.json").write_text(security.write(findings, {}))
    if average is not None:
        (folder / "performance-report.json").write_text(Load((), request_of(average)).json())
    return folder


def judged(folder):
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", str(SCRIPT), str(folder)], env=environ, capture_output=True, text=True, check=False
    )  # fmt: skip


@pytest.mark.needs("jq")
@pytest.mark.parametrize(
    ("said", "report"),
    [
        ("Coverage 79.5% is below threshold (80%)", {"coverage": 79.5}),
        ("Coverage was not measured", {"coverage": None}),
        ("Found 2 high severity vulnerabilities", {"findings": (HIGH, HIGH)}),
        ("Average response time 612.5ms exceeds threshold (500ms)", {"average": 612.5}),
    ],
)
def test_a_report_below_a_threshold_fails_with_jq(tmp_path, said, report):
    done = judged(write(tmp_path, **report))
    assert (done.returncode, done.stdout) == (1, said + "\n")


@pytest.mark.needs("jq")
def test_a_good_report_passes_with_jq_and_shows_every_gate(tmp_path):
    done = judged(write(tmp_path, average=40.0))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("All quality gates passed\n")
    assert "coverage ≥ 80 %" in done.stdout


@pytest.mark.needs("jq")
def test_no_report_and_a_broken_one_never_pass_with_jq(tmp_path):
    assert "run `sealane call pipeline` first" in judged(tmp_path).stdout
    write(tmp_path)
    (tmp_path / "security-report.json").write_text("{")
    assert judged(tmp_path).returncode != 0


def test_the_thresholds_of_the_script_are_the_defaults():
    text, gates = SCRIPT.read_text(), GatesConfig()
    assert f"$COVERAGE < {gates.coverage:g}" in text
    assert f"$RESPONSE_TIME > {gates.response:g}" in text
    assert gates.high == 0
    assert json.loads(security.write((HIGH,), {}))["vulnerabilities"][0]["severity"] == "HIGH"
