"""The scanners of the stage scan beside Semgrep: dependencies, and reports handed in; and what was not scanned."""

import json

import pytest

from sealane.stages import scan
from sealane.stages.result import Outcome
from sealane.stages.scanners import scanned, semgrep

ACCEPTED = "[tool.sealane.gates.accept]\ndependencies = 'none here'\n"
ADVISED = "[tool.sealane.scan]\nscanners = ['dependencies']\nadvisories = 'osv'\n"
ROW = {"id": "X-1", "package": "fastapi", "version": "0.1", "severity": "HIGH", "summary": "Bad.", "fixed": ["0.2"], "file": "requirements.txt", "line": 1}  # fmt: skip
CLEAN = {"advisories": 6, "newest": "2026", "packages": 9, "pinned": [], "undecided": [], "vulnerabilities": []}
TRIVY = {"SchemaVersion": 2, "Results": [{"Target": "a.txt", "Vulnerabilities": []}]}
GIVEN = "[tool.sealane.scan]\nscanners = []\nreports = { trivy = 'trivy.json' }\n"


def files(config: str, **more: str) -> dict[str, str]:
    return {"pyproject.toml": config, "requirements.txt": "fastapi==0.1\n", "osv/X-1.json": "{}", **more}


def scanning(engine_run, config: str, report: object = CLEAN, exit_code: int = 0, **more: str):
    """The stage's result, the texts of its report, and the commands that ran."""

    async def body(engine, project):
        text = report if isinstance(report, str) else json.dumps(report)
        left = {} if exit_code else {"/reports/audit.json": text}
        engine.on("audit", "/advisories", exit_code=exit_code, stderr="broken.json is no OSV advisory\n", files=left)
        result = await scan.run(project)
        return result, await engine.files(result.report), engine.steps

    return engine_run(body, files=files(config, **more))


def test_without_advisories_dependencies_are_not_scanned(engine_run):
    result, _, _ = scanning(engine_run, "")
    assert (result.outcome, result.broken) == (Outcome.NOT_RUN, True)
    assert "set scan.advisories" in result.reason
    assert list(result.not_scanned) == ["dependencies"]


def test_what_is_accepted_by_name_passes_and_is_said(engine_run):
    result, _, _ = scanning(engine_run, ACCEPTED)
    assert result.outcome is Outcome.RAN
    assert len(result.notes) == 1
    assert result.notes[0].startswith("not scanned (accepted): dependencies")
    assert result.notes[0].endswith("none here")
    assert result.not_scanned


def test_a_vulnerable_dependency_fails_the_scan_at_its_line(engine_run):
    result, report, steps = scanning(engine_run, ADVISED, {**CLEAN, "vulnerabilities": [ROW]})
    assert (result.outcome, result.reason) == (Outcome.FAILED, "1 high")
    assert str(result.findings[0]) == "requirements.txt:1: fastapi 0.1: Bad. (fixed in 0.2) [dependencies X-1]"
    assert "dependency-report.json" in report
    audit = next(step for step in steps if "/advisories" in step.args)
    assert audit.args[-1] == "requirements.txt"
    assert {"/sealane/audit/__main__.py", "/advisories/X-1.json", "/src/requirements.txt"} <= set(audit.files)
    assert "/src/pyproject.toml" not in audit.files


def test_clean_dependencies_say_how_much_was_compared(engine_run):
    result, _, _ = scanning(engine_run, ADVISED)
    assert (result.outcome, result.notes) == (Outcome.RAN, ())
    assert (result.figures["advisories"], result.figures["dependencies"]) == (6, 9)


@pytest.mark.parametrize(
    "report", ["", "{", "[]", "{}", json.dumps({**CLEAN, "vulnerabilities": [{**ROW, "severity": "odd"}]})]
)
def test_an_audit_that_can_not_be_read_is_not_scanned(engine_run, report: str):
    result, _, _ = scanning(engine_run, ADVISED, report)
    assert (result.outcome, result.broken) == (Outcome.NOT_RUN, True)
    assert "dependencies's report can't be read" in result.reason


def test_an_audit_that_fails_is_not_scanned(engine_run):
    result, _, _ = scanning(engine_run, ADVISED, exit_code=2)
    assert result.reason == "dependencies exited with 2: broken.json is no OSV advisory"


def test_an_audit_that_hangs_is_stopped_and_not_scanned(engine_run):
    result, _, steps = scanning(engine_run, "[tool.sealane.scan]\nadvisories = 'osv'\ntimeout = 7\n", exit_code=124)
    assert result.reason == "dependencies was stopped after 7 s (scan.timeout)"
    scanners = [step.args for step in steps if {"semgrep", "audit"} & set(step.args)]
    assert len(scanners) == 3
    assert all(args[:4] == ("timeout", "-k", "10", "7") for args in scanners)


def test_what_is_undecided_is_not_scanned_and_hides_no_finding(engine_run):
    result, _, _ = scanning(engine_run, ADVISED, {**CLEAN, "undecided": ["requirements.txt:1: a is not pinned"], "vulnerabilities": [ROW]})  # fmt: skip
    assert result.outcome is Outcome.FAILED
    assert result.notes == ("not scanned: requirements.txt:1: a is not pinned",)


def test_a_report_that_is_handed_in_is_read_and_handed_on(engine_run):
    leak = {"VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1", "Severity": "CRITICAL"}
    text = json.dumps({"SchemaVersion": 2, "Results": [{"Target": "a.txt", "Vulnerabilities": [leak]}]})
    result, report, _ = scanning(engine_run, GIVEN, **{"trivy.json": text})
    assert (result.outcome, result.findings[0].tool) == (Outcome.FAILED, "trivy")
    assert report["trivy-results.json"] == text


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "trivy's report is not in the project: trivy.json"),
        ({"trivy.json": ""}, "trivy's report can't be read: it is empty"),
        ({"trivy.json": '{"SchemaVersion": 2}'}, "trivy found no file or package to look at"),
    ],
)
def test_a_report_that_says_nothing_is_not_scanned(engine_run, more: dict[str, str], reason: str):
    result, _, _ = scanning(engine_run, GIVEN, **more)
    assert (result.outcome, result.broken) == (Outcome.NOT_RUN, True)
    assert result.reason.startswith(reason)


def test_a_huge_report_is_not_even_fetched(engine_run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scanned, "LARGEST", 20)
    result, _, _ = scanning(engine_run, GIVEN, **{"trivy.json": json.dumps(TRIVY)})
    assert "more than 20" in result.reason


def test_a_scanner_of_images_that_is_asked_for_and_has_no_report_is_not_scanned(engine_run):
    result, _, _ = scanning(engine_run, f"[tool.sealane.scan]\nscanners = ['snyk']\n{ACCEPTED}")
    assert result.reason.startswith("snyk looks at images: name it in scan.image-scanners")


def test_a_project_without_requirements_has_nothing_to_audit(engine_run):
    async def body(_engine, project):
        return await scan.run(project)

    result = engine_run(body, files={"a.py": "x = 1\n"})
    assert (result.outcome, result.notes) == (
        Outcome.RAN,
        ("nothing to scan: dependencies: no requirement or lock file",),
    )


def test_semgrep_that_writes_nonsense_is_not_scanned(engine_run):
    async def body(engine, project):
        engine.on("semgrep", "/reports/semgrep.sarif", files={"/reports/semgrep.sarif": '{"runs": [{"tool": []}]}'})
        return await scan.run(project)

    result = engine_run(body, files=files(ACCEPTED))
    assert (result.outcome, result.broken) == (Outcome.NOT_RUN, True)
    assert "semgrep's SARIF can't be read" in result.reason


def noted(kind: str, **more: object) -> str:
    note = {"descriptor": {"id": kind}, "level": "warning", "message": {"text": f"{kind} at a.py"}}
    invocation = {"executionSuccessful": True, "toolExecutionNotifications": [note]}
    run = {"tool": {"driver": {"name": "Semgrep"}}, "invocations": [invocation], "results": [], **more}
    return json.dumps({"version": "2.1.0", "runs": [run]})


@pytest.mark.parametrize(
    ("kind", "said"), [("Timeout", "semgrep gave up on 1 files: Timeout at a.py"), ("Syntax error", "")]
)
def test_a_file_that_semgrep_gave_up_on_is_not_scanned(kind: str, said: str):
    """What a file's own syntax is worth, linters say."""
    for name in ("semgrep", "secrets", "semgrep-packs"):
        assert semgrep._reader(name)(noted(kind)).missing == said


def test_what_semgrep_cites_of_a_secret_stays_in_its_container(engine_run):
    region = {"startLine": 2, "snippet": {"text": "KEY=hush-hush"}}
    place = {"artifactLocation": {"uri": "a.env"}, "region": region, "contextRegion": region}
    found = {
        "ruleId": "rules.a-key",
        "level": "error",
        "message": {"text": "a key"},
        "locations": [{"physicalLocation": place}],
    }

    async def body(engine, project):
        engine.on(
            "semgrep",
            "/reports/secrets.sarif",
            files={"/reports/secrets.sarif": noted("Syntax error", results=[found])},
        )
        result = await scan.run(project)
        return result, await engine.files(result.report)

    config = "[tool.sealane.scan]\nscanners = ['secrets']\n"
    result, report = engine_run(body, files={"pyproject.toml": config, "a.env": "x\nKEY=hush-hush\n"})
    assert [(f.rule, f.file, f.line) for f in result.findings] == [("a-key", "a.env", 2)]
    assert "hush" not in str(report)
    assert json.loads(report["secrets.sarif"])["runs"][0]["results"][0]["ruleId"] == "rules.a-key"


def test_semgrep_that_left_no_report_is_not_scanned(engine_run):
    async def body(engine, project):
        engine.on("semgrep", "/reports/semgrep.sarif")
        return await scan.run(project)

    result = engine_run(body, files=files(ACCEPTED))
    assert result.reason.startswith("semgrep's report can't be read")
