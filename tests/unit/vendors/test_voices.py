"""What is said to a vendor through its log, and what GitLab's own reports say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealane.cli.options import Options
from sealane.cli.vendor_run import summarise
from sealane.report.model import FindingRow, RunReport, StageRow, TestRow
from sealane.vendors import gitlab_reports
from sealane.vendors.context import read
from sealane.vendors.results import notes
from sealane.vendors.table import VENDORS
from sealane.vendors.voice import Note


def test_buildkite_shows_the_summary_in_the_build(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    agent = tmp_path / "buildkite-agent"
    agent.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat > {tmp_path}/shown\n')
    agent.chmod(0o755)
    (tmp_path / "lint").mkdir()
    (tmp_path / "lint/summary.md").write_text("# passed\n")
    voice = VENDORS["buildkite"].voice
    summarise(voice, Options(environ={"PATH": f"{tmp_path}:/bin:/usr/bin"}), tmp_path / "lint/summary.md")
    assert (tmp_path / "asked").read_text() == "annotate --style info --context sealane-lint\n"
    assert (tmp_path / "shown").read_text() == "# passed\n"


def test_where_there_is_no_agent_the_run_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    (tmp_path / "summary.md").write_text("# passed\n")
    options = Options(environ={"PATH": str(tmp_path)})
    summarise(VENDORS["buildkite"].voice, options, tmp_path / "summary.md")
    assert "could not be shown in the build: No such file or directory: " in capfd.readouterr().out


HOSTILE = "a%b\r\n::error::x ##vso[task.complete]; ]'|\x1b[2K,:section_start:1:x"
EVIL = Note("error", HOSTILE, HOSTILE, "src/" + HOSTILE, 7)


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
def test_a_note_is_one_line_whatever_it_says(vendor):
    if vendor.voice.note is None:
        return
    said = vendor.voice.note(EVIL)
    assert "\n" not in said
    assert "\r" not in said
    assert "\x1b" not in said


def test_githubs_note_stands_at_its_line():
    voice = VENDORS["github"].voice
    assert voice.note
    assert voice.note(Note("warning", "ruff F401", "50% unused: os", "a,b.py", 3)) == (
        "::warning file=a%2Cb.py,line=3,title=ruff F401::50%25 unused: os"
    )
    _, place, message = voice.note(EVIL).split("::", 2)
    assert ",line=7,title=a%25b%0D%0A%3A%3Aerror%3A%3Ax" in place
    assert message.startswith("a%25b%0D%0A::error::x")


def test_azures_note_ends_where_it_ends():
    voice = VENDORS["azure"].voice
    assert voice.note
    said = voice.note(EVIL)
    head, _, message = said.partition("]")
    assert head.startswith("##vso[task.logissue type=error;sourcepath=src/a%AZP25b%0D%0A")
    assert "]" not in message


def test_teamcity_is_told_of_the_tests(tmp_path: Path):
    voice = VENDORS["teamcity"].voice
    assert voice.taken
    assert voice.taken(tmp_path) == []
    (tmp_path / "junit.xml").write_text("<testsuites/>")
    (said,) = voice.taken(tmp_path)
    assert said.startswith("##teamcity[importData type='junit' path='")


def test_teamcitys_context_is_in_its_file_of_parameters(tmp_path: Path):
    system, more = tmp_path / "system.properties", tmp_path / "more.properties"
    system.write_text(f"#x\nteamcity.configuration.properties.file={str(more).replace(':', chr(92) + ':')}\n")
    environ = {"TEAMCITY_VERSION": "2025.11", "TEAMCITY_BUILD_PROPERTIES_FILE": str(system)}
    more.write_text("teamcity.build.branch=<default>\nteamcity.build.triggeredBy=Schedule Trigger\n")
    context = read(environ, tmp_path)
    assert (context.event, context.branch) == ("schedule", "")
    more.write_text("teamcity.build.branch=tags/v1.2\n")
    context = read(environ, tmp_path)
    assert (context.event, context.tag, context.branch) == ("tag", "v1.2", "")
    more.write_text(
        "teamcity.build.branch=pull/12\nteamcity.pullRequest.source.branch=feature/x\n"
        "teamcity.pullRequest.target.branch=main\nteamcity.pullRequest.title=gr\\u00f6\\=\\:$(id)\n"
    )
    context = read(environ, tmp_path)
    assert (context.event, context.pull_request, context.branch, context.base) == (
        "pull-request", 12, "feature/x", "main",
    )  # fmt: skip
    assert context.message == "grö=:$(id)"
    assert context.fork


def report(*findings: FindingRow) -> RunReport:
    failed = TestRow(suite="unit", name="test_a", outcome="failed", message="1 != 2", file="tests/test_a.py", line=4)
    row = StageRow(
        name="scan", outcome="ran", passed=False, seconds=1, findings=list(findings),
        tests=[failed, TestRow(suite="unit", name="test_b", outcome="skipped")],
    )  # fmt: skip
    return RunReport(passed=False, started="2026-11-26T02:00:00.000+00:00", seconds=1, stages=[row], gates=[])


FOUND = [
    FindingRow(tool="ruff", rule="F401", severity="low", message="unused", file="a.py", line=1),
    FindingRow(tool="bandit", rule="B602", severity="high", message="shell", file="a.py", line=2),
    FindingRow(tool="gitleaks", rule="aws", severity="high", message="a key", file="b.py", line=3),
    FindingRow(tool="pip-audit", rule="CVE-1", severity="high", message="jinja2 2.0: escapes"),
    FindingRow(tool="bandit", rule="B1", severity="high", message="old", file="c.py", line=1, known=True),
]


def test_notes_are_failed_tests_and_new_findings_worst_first():
    found = notes(report(*FOUND), "examples/app")
    assert [note.title for note in found] == ["test_a", "bandit B602", "gitleaks aws", "pip-audit CVE-1", "ruff F401"]
    assert [note.level for note in found] == ["error", "error", "error", "error", "notice"]
    assert found[1].file == "examples/app/a.py"
    assert found[3].file == ""


def test_gitlab_gets_each_finding_in_the_report_of_its_kind(tmp_path: Path):
    gitlab_reports.write(report(*FOUND), tmp_path, gitlab_reports.Subject(".", "1f0e3dad"))
    made = {path.stem: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    rules = {
        name: [each["identifiers"][0]["value"] for each in made[name]["vulnerabilities"]]
        for name in made
        if name != "gl-code-quality-report"
    }
    assert rules == {
        "gl-sast-report": ["B602"],
        "gl-secret-detection-report": ["aws"],
        "gl-dependency-scanning-report": ["CVE-1"],
        "gl-container-scanning-report": [],
    }
    (quality,) = made["gl-code-quality-report"]
    assert quality["location"] == {"path": "a.py", "lines": {"begin": 1}}
    package = made["gl-dependency-scanning-report"]["vulnerabilities"][0]["location"]["dependency"]
    assert package == {"package": {"name": "jinja2"}, "version": "2.0"}
    for name in rules:
        assert made[name]["scan"]["start_time"] == "2026-11-26T02:00:00"
