"""The runners of scanners that can't be had here: what they would run, with which secrets, and what they say instead."""

import json
import re

import pytest

from sealane.errors import ReportUnreadable
from sealane.stages import image_scan, scan, tools
from sealane.stages.result import Outcome
from sealane.stages.scanners import leaks, review
from sealane.stages.scripts import licences as licences_script

TRIVY = {"SchemaVersion": 2, "Results": [{"Target": "a.txt", "Vulnerabilities": []}]}
LEAK = {"SchemaVersion": 2, "Results": [{"Target": "a.txt", "Vulnerabilities": [{"VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1", "Severity": "CRITICAL"}]}]}  # fmt: skip
SARIF = json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "Trivy"}}, "results": []}]})
TOKEN = "tok-" + "f83hf9aJc72"


def scanning(engine_run, scanners: str, prepare=lambda _engine: None, **more: str):
    async def body(engine, project):
        prepare(engine)
        result = await scan.run(project)
        return result, await engine.files(result.report), engine.steps

    config = f"[tool.sealane.scan]\nscanners = [{scanners}]\ntimeout = 7\n"
    return engine_run(body, files={"pyproject.toml": config, "a.py": "x = 1\n", **more})


def trivy(report: object):
    def prepare(engine):
        for name in ("trivy-results", "trivy-image-results"):
            engine.on("trivy", f"/reports/{name}.json", files={f"/reports/{name}.json": json.dumps(report)})
            engine.on("trivy", "convert", f"/reports/{name}.sarif", files={f"/reports/{name}.sarif": SARIF})

    return prepare


def test_trivy_looks_at_files_and_leaves_the_guides_sarif(engine_run):
    result, report, steps = scanning(engine_run, "'trivy'", trivy(LEAK))
    assert (result.outcome, [f.rule for f in result.findings]) == (Outcome.FAILED, ["CVE-1"])
    assert report["trivy-results.sarif"] == SARIF
    ran = next(step for step in steps if "fs" in step.args)
    assert ran.args[:5] == ("timeout", "-k", "10", "7", "trivy")
    assert "/src/a.py" in ran.files


def test_trivy_is_never_one_of_the_versions_that_were_backdoored():
    version = re.search(r":(\d+)\.(\d+)\.(\d+)@sha256:[0-9a-f]{64}$", tools.image("trivy"))
    assert version is not None
    assert tuple(map(int, version.groups())) not in {(0, 69, 4), (0, 69, 5), (0, 69, 6)}


def test_images_are_scanned_after_the_build_by_those_that_are_named(engine_run):
    async def body(engine, project):
        trivy(LEAK)(engine)
        result = await image_scan.run(project)
        return result, engine.steps

    config = "[tool.sealane.scan]\nimage-scanners = ['trivy']\n"
    result, steps = engine_run(body, files={"pyproject.toml": config, "Dockerfile": "FROM scratch\n"})
    assert (result.outcome, result.reason) == (Outcome.FAILED, "1 high")
    assert any("--input" in step.args for step in steps)


def test_snyk_without_a_token_is_not_scanned_and_gets_none(engine_run):
    async def body(engine, project):
        return await image_scan.run(project, scanners=("snyk",)), "\n".join(engine.queries)

    result, queries = engine_run(body, files={"Dockerfile": "FROM scratch\n"})
    assert (result.outcome, result.broken) == (Outcome.NOT_RUN, True)
    assert result.reason.startswith("snyk needs a token")
    assert "withSecretVariable" not in queries


def test_nothing_named_means_no_image_is_scanned(engine_run):
    async def body(_engine, project):
        return await image_scan.nothing_to_do(project)

    assert engine_run(body, files={"Dockerfile": "FROM scratch\n"}) == "scan.image-scanners names none"


@pytest.mark.parametrize(
    ("name", "word", "reason"),
    [
        ("safety", "/sealane/reach.py", "safety can't reach its service: https://x: no route"),
        ("semgrep-packs", "/sealane/reach.py", "semgrep-packs can't reach its service: https://x: no route"),
    ],
)
def test_a_service_that_does_not_answer_is_not_waited_for(engine_run, name: str, word: str, reason: str):
    def away(engine):
        engine.on(word, exit_code=1, stderr="https://x: no route\n")

    result, _, steps = scanning(engine_run, f"'{name}'", away, **{"requirements.txt": "a==1\n"})
    assert (result.outcome, result.reason) == (Outcome.NOT_RUN, reason)
    assert not any("semgrep" in step.args for step in steps)


def test_an_audit_that_broke_down_says_how(engine_run):
    def broken(engine):
        engine.on("pip-audit", exit_code=1, stderr="requests.exceptions.ConnectionError: no\n")

    result, _, _ = scanning(engine_run, "'pip-audit'", broken, **{"requirements.txt": "a==1\n"})
    assert result.reason.startswith("pip-audit's report can't be read")
    assert "ConnectionError" in result.reason


def test_npm_findings_stand_in_their_lock_file(engine_run):
    audit = {"auditReportVersion": 2, "vulnerabilities": {"left": {"name": "left", "severity": "high", "via": [{"source": 1, "name": "left", "title": "Bad", "url": "https://x/GHSA-1", "severity": "high", "range": "<2"}]}}}  # fmt: skip

    def found(engine):
        engine.on(
            "npm", "audit", stdout=json.dumps(audit), files={"/reports/npm-audit-report-web.json": json.dumps(audit)}
        )

    result, _, _ = scanning(
        engine_run,
        "'npm-audit'",
        found,
        **{"web/package.json": "{}", "web/package-lock.json": '{"lockfileVersion": 3}'},
    )
    assert [(f.tool, f.rule, f.file) for f in result.findings] == [("npm-audit", "GHSA-1", "web/package-lock.json")]


def test_gitleaks_that_complains_did_not_look_at_everything(engine_run):
    def complains(engine):
        engine.on("go", "install", files={"/opt/sealane/bin/gitleaks": ""})
        engine.on(
            "/opt/sealane/bin/gitleaks",
            stderr="12:17AM ERR [git] fatal: bad revision\n",
            files={"/reports/gitleaks-report.json": "[]"},
        )

    result, _, _ = scanning(engine_run, "'gitleaks'", complains)
    assert (result.outcome, result.broken) == (Outcome.NOT_RUN, True)
    assert result.reason == "gitleaks says: 12:17AM ERR [git] fatal: bad revision"


def history(engine_run, prepare, base: str = ""):
    """A history of one commit, `c0ffee`, looked through where neither TruffleHog nor gitleaks can be had."""

    async def body(engine, project):
        engine.on_image(tools.image("trufflehog"), "no route")
        engine.on("go", "install", exit_code=1, stderr="no route\n")
        engine.on("git", "rev-parse", "--is-shallow-repository", stdout="false\n")
        engine.on("git", "rev-list", "--count", stdout="1\n")
        engine.on("git", "log", files={"/tmp/history.patch": "commit c0ffee\n"})
        engine.on("/sealane/unroll.py", files={"/added/index.json": '[["c0ffee", "deploy/aws.env", 7]]'})
        prepare(engine)
        result = await leaks.history(project, engine.directory({".git/HEAD": ""}), base)
        return result, await engine.files(result.report) if result.report else {}

    return engine_run(body, files={"pyproject.toml": "", "a.py": ""})


LEAKED = {"ruleId": "rules.aws-access-key-id", "level": "error", "message": {"text": "A key."}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "0.txt"}, "region": {"startLine": 2}}}]}  # fmt: skip


def test_without_other_tools_our_rules_look_at_what_commits_added(engine_run):
    def found(engine):
        text = json.dumps({"runs": [{"tool": {"driver": {"name": "Semgrep"}}, "results": [LEAKED]}]})
        engine.on("semgrep", "/reports/secrets.sarif", files={"/reports/secrets.sarif": text})
        engine.on("git", "rev-list", "main..HEAD", stdout="badf00d\n")

    result, report = history(engine_run, found, "main")
    (leak,) = result.findings
    assert (leak.rule, leak.file, leak.line, leak.severity.value) == ("aws-access-key-id", "deploy/aws.env", 8, "high")
    assert leak.message == "A key. (in commit c0ffee)"
    assert result.wrong == ""
    assert "history by Sealane's rules (neither TruffleHog nor gitleaks can be had), 1 commits" in result.notes
    assert [row["Commit"] for row in json.loads(report["secrets-history.json"])] == ["c0ffee"]
    assert json.loads(report["secrets-range.json"]) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("git", "log"), 128, "git log exited with 128"),
        (("git", "log"), 124, "git log was stopped after"),
        (("/sealane/unroll.py",), 3, "the history is more than Sealane's own rules get through"),
        (("/sealane/unroll.py",), 1, "unroll.py exited with 1"),
        (("semgrep", "/reports/secrets.sarif"), 2, "secrets exited with 2"),
        (("/bin/pip", "semgrep==1.182.0"), 1, "none can be had: trufflehog"),
    ],
)
def test_a_history_that_our_rules_could_not_look_at_is_not_scanned(engine_run, words, code: int, said: str):
    result, _ = history(engine_run, lambda engine: engine.on(*words, exit_code=code, stderr="no route\n"))
    assert said in result.wrong
    assert result.findings == ()


def test_what_trufflehog_printed_leaves_without_the_secret():
    entry = {"DetectorName": "URI", "Verified": False, "Raw": TOKEN, "RawV2": TOKEN, "Redacted": TOKEN[:6], "SourceMetadata": {"Data": {"Git": {"commit": "c0ffee" * 6, "file": "keys", "line": 3}}}}  # fmt: skip
    log = '{"level":"info-0","ts":"2025-08-26T10:26:28+02:00","logger":"trufflehog","msg":"finished scanning"}\n'
    said, report = leaks._masked(json.dumps(entry) + "\n", log)
    assert [(f.rule, f.file, f.line) for f in said.findings] == [("URI", "keys", 3)]
    assert TOKEN not in report + str(said)
    assert leaks._masked("", log)[0].findings == ()
    with pytest.raises(ReportUnreadable):
        leaks._masked(json.dumps(entry)[:-9], log)


def pin(name: str, version: str) -> dict[str, object]:
    return {"ecosystem": "PyPI", "name": name, "normal": name.lower(), "version": version, "file": "r.txt", "line": 1}


def test_a_change_of_dependencies_by_kind():
    before = [pin("Same", "1"), pin("moved", "1"), pin("gone", "1"), pin("twice", "1"), pin("twice", "2")]
    after = [pin("same", "1"), pin("moved", "2"), pin("new", "1"), pin("new", "1"), pin("twice", "2")]
    changes = review.compare(before, after)
    assert [row["name"] for row in changes["added"]] == ["new"]
    assert [(row["name"], row["was"]) for row in changes["changed"]] == [("moved", ["1"])]
    assert [row["name"] for row in changes["removed"]] == ["gone"]


def test_installed_packages_say_their_licences(tmp_path):
    modules = tmp_path / "node_modules"
    for name, text in {
        "a": '{"name": "a", "version": "1.0.0", "license": "MIT"}',
        "@x/b": '{"name": "@x/b", "version": "2.0.0", "licenses": [{"type": "MIT"}, {"type": "ISC"}]}',
        "a/node_modules/c": '{"name": "c", "version": "3.0.0"}',
        "a/inner": '{"name": "no package of its own", "version": "1"}',
    }.items():
        (modules / name).mkdir(parents=True)
        (modules / name / "package.json").write_text(text)
    assert licences_script.main(str(tmp_path / "out.json"), str(modules)) == 0
    rows = {row["name"]: row["expression"] for row in json.loads((tmp_path / "out.json").read_text())}
    assert (rows["a"], rows["@x/b"], rows["c"]) == ("MIT", "MIT OR ISC", "")
    assert "no package of its own" not in rows
    assert "pytest" in rows
