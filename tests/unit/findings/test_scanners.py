"""Reports of scanners, read as their tools write them; and reports that are broken, empty, huge or hostile.

The samples in tests/golden/scanners are genuine output, shortened to some of its findings. SOURCES says whose. None of
these tools was ever run here: each needs a service or a database that can't be had.
"""

import json
from pathlib import Path

import pytest

from sealane.errors import ReportUnreadable
from sealane.findings import Severity, scanners
from sealane.findings.scanners import common, dependencies

GOLDEN = Path(__file__).parent.parent.parent / "golden" / "scanners"
DOJO = "DefectDojo/django-DefectDojo, unittests/scans/"
SOURCES = {
    "trivy.json": "aquasecurity/trivy, integration/testdata/pip.json.golden",
    "trivy.sarif": "aquasecurity/trivy, integration/testdata/alpine-310.sarif.golden",
    "safety.json": "pyupio/safety, README of version 2.0.0.dev6: `safety check --output json`",
    "pip-audit.json": DOJO + "pip_audit/many_vulns_new.json",
    "npm-audit.json": DOJO + "npm_audit_7_plus/one_vuln.json",
    "snyk.json": DOJO + "snyk/single_project_one_vuln.json",
    "gitleaks.json": "gitleaks/gitleaks, testdata/baseline/baseline.json",
    "trufflehog.jsonl": DOJO + "trufflehog/v3_git.json",
    "codeql.sarif": DOJO + "sarif/codeQL-output.sarif",
}


def scanner_of(file: str) -> str:
    return file.partition(".")[0]


def said(file: str) -> scanners.Said:
    return scanners.read(scanner_of(file), (GOLDEN / file).read_text())


def rows(file: str) -> list[tuple[str, Severity, str]]:
    return [(f.rule, f.severity, f.place) for f in said(file).findings]


def test_every_sample_names_its_source():
    assert {path.name for path in GOLDEN.iterdir()} == set(SOURCES)


def test_trivy_json():
    assert rows("trivy.json") == [
        ("CVE-2019-14806", Severity.HIGH, "requirements.txt:6"),
        ("CVE-2020-28724", Severity.MEDIUM, "requirements.txt:6"),
    ]
    assert "Werkzeug 0.11:" in said("trivy.json").findings[0].message
    assert "fixed in 0.15.3" in said("trivy.json").findings[0].message


def test_trivy_sarif():
    assert rows("trivy.sarif") == [("CVE-2019-1549", Severity.MEDIUM, "testdata/fixtures/images/alpine-310.tar.gz:1")]


def test_trivy_that_looked_at_nothing_is_not_clean():
    assert "nothing" not in scanners.read("trivy", '{"SchemaVersion": 2, "Results": [{"Target": "a"}]}').missing
    assert "no file or package" in scanners.read("trivy", '{"SchemaVersion": 2, "ArtifactName": "."}').missing


@pytest.mark.parametrize("version", ["0.69.4", "v0.69.5", "0.69.6"])
def test_what_a_backdoored_trivy_wrote_is_refused(version: str):
    own = {"SchemaVersion": 2, "Trivy": {"Version": version}, "Results": [{"Target": "a"}]}
    driver = {"name": "Trivy", "version": version}
    table = {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": []}]}
    for report in (own, table):
        with pytest.raises(ReportUnreadable, match="backdoored: revoke"):
            scanners.read("trivy", json.dumps(report))
        assert scanners.read("trivy", json.dumps(report).replace(version, "0.69.3")).findings == ()


def test_safety_without_a_licence_gives_no_severity_and_counts_as_high():
    assert rows("safety.json") == [("25853", Severity.HIGH, "")]
    assert "insecure-package 0.1.0:" in said("safety.json").findings[0].message


def test_safety_of_version_one_is_a_list():
    found = scanners.read("safety", '[["django", "<2.2", "1.8", "Bad.", "44741"]]').findings
    assert [str(f) for f in found] == ["django 1.8: Bad. [safety 44741]"]


def test_pip_audit_names_what_it_skipped():
    assert [rule for rule, _, _ in rows("pip-audit.json")] == ["PYSEC-2021-439", "PYSEC-2021-852"]
    assert said("pip-audit.json").findings[1].message.endswith("(no fix)")
    assert "azure-devops" in said("pip-audit.json").missing


def test_npm_audit_gives_each_advisory_its_own_severity():
    assert rows("npm-audit.json") == [
        ("GHSA-gxpj-cx7g-858c", Severity.MEDIUM, ""),
        ("GHSA-9vvw-cc9w-f27h", Severity.HIGH, ""),
        ("ms", Severity.HIGH, ""),  # this report was shortened by its source: "ms" stands nowhere else
    ]


def test_snyk():
    assert rows("snyk.json") == [("SNYK-JAVA-ORGAPACHESANTUARIO-460281", Severity.MEDIUM, "pom.xml")]


def test_gitleaks_without_the_secret():
    assert rows("gitleaks.json") == [
        ("pypi-upload-token", Severity.HIGH, "detect/detect_test.go:32"),
        ("pypi-upload-token", Severity.HIGH, "detect/detect_test.go:33"),
    ]
    assert "*" not in str(said("gitleaks.json").findings)
    assert scanners.read("gitleaks", "[]\n") == scanners.Said(())


def test_gitleaks_sarif_has_no_level_and_is_high():
    result = {"ruleId": "aws-access-token", "message": {"text": "aws-access-token has detected secret"}}
    document = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "gitleaks"}}, "results": [result]}]}
    assert scanners.read("gitleaks", json.dumps(document)).findings[0].severity is Severity.HIGH


def test_trufflehog_without_the_secret():
    assert rows("trufflehog.jsonl") == [("URI", Severity.HIGH, "keys:3")]
    assert "aHR0" not in str(said("trufflehog.jsonl"))


def test_trufflehog_is_clean_when_its_log_says_that_it_finished():
    log = '{"level":"info-0","ts":"2025-08-26T10:26:28+02:00","logger":"trufflehog","msg":"finished scanning"}\n'
    assert scanners.read("trufflehog", log) == scanners.Said(())
    assert scanners.read("trufflehog", log.replace("finished scanning", "running source")).missing
    assert scanners.read("trufflehog", log + log.replace("info-0", "error")).missing


def test_codeql_takes_the_level_from_the_rule():
    assert rows("codeql.sarif") == [
        ("py/empty-except", Severity.LOW, "bad/db_init.py:40"),
        ("py/empty-except", Severity.LOW, "bad/libsession.py:21"),
    ]


def test_a_score_wins_over_the_level():
    rule = {"id": "js/xss", "properties": {"security-severity": "6.1"}}
    run = {
        "tool": {"driver": {"name": "CodeQL"}, "extensions": [{"name": "codeql/js", "rules": [rule]}]},
        "results": [{"ruleId": "js/xss", "level": "error", "message": {"text": "x"}}],
    }
    found = scanners.read("codeql", json.dumps({"version": "2.1.0", "runs": [run]})).findings
    assert found[0].severity is Severity.MEDIUM


def test_a_run_that_broke_down_is_unreadable():
    run = {"tool": {"driver": {"name": "CodeQL"}}, "invocations": [{"executionSuccessful": False}], "results": []}
    with pytest.raises(ReportUnreadable, match="did not run to its end"):
        scanners.read("codeql", json.dumps({"version": "2.1.0", "runs": [run]}))


@pytest.mark.parametrize("scanner", sorted(scanners.READERS))
@pytest.mark.parametrize(
    "text",
    ["", " \n", "{", "null", "7", '"text"', "<html>502</html>", '{"runs": []}', '{"version": "2.1.0", "runs": []}', "[" * 100_000],
    ids=["empty", "blank", "cut off", "null", "number", "text", "page", "no version", "no run", "deep"],
)  # fmt: skip
def test_what_is_no_report_is_never_clean(scanner: str, text: str):
    with pytest.raises(ReportUnreadable, match="report can't be read"):
        scanners.read(scanner, text)


@pytest.mark.parametrize("file", sorted(SOURCES))
def test_a_report_that_was_cut_off_is_never_clean(file: str):
    text = (GOLDEN / file).read_text().rstrip()
    for length in range(1, len(text) - 1, max(1, len(text) // 20)):
        with pytest.raises(ReportUnreadable):
            scanners.read(scanner_of(file), text[:length])


@pytest.mark.parametrize(
    ("file", "word"),
    [
        ("trivy.json", '"HIGH"'),
        ("trivy.sarif", '"level": "warning", "message"'),
        ("npm-audit.json", '"severity": "moderate"'),
        ("snyk.json", '"severity": "medium"'),
    ],
)
def test_a_severity_that_the_tool_does_not_have_is_never_clean(file: str, word: str):
    text = json.dumps(json.loads((GOLDEN / file).read_text()))
    assert word in text
    value = word.split('"')[3] if ":" in word else "HIGH"
    with pytest.raises(ReportUnreadable, match="unknown"):
        scanners.read(scanner_of(file), text.replace(word, word.replace(value, "catastrophic")))


@pytest.mark.parametrize("scanner", sorted(scanners.READERS))
def test_a_huge_report_is_not_even_parsed(scanner: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(common, "LARGEST", 1000)
    with pytest.raises(ReportUnreadable, match="more than 1000 characters"):
        scanners.read(scanner, "[" + " " * 1000 + "]")


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/../../b", "..", "/src/../x", "a\0b", 7, None])
def test_a_place_outside_the_project_is_left_out(path: object):
    assert common.place(path) == ""


@pytest.mark.parametrize(
    ("path", "plain"),
    [("/src/a.py", "a.py"), ("file:///src/a.py", "a.py"), ("./a/b.py", "a/b.py"), ("a\\b.py", "a/b.py")],
)
def test_a_place_is_relative_to_the_project(path: str, plain: str):
    assert common.place(path) == plain


def test_a_long_message_is_cut():
    assert len(common.sentence("x" * 5000)) == 1000


def test_sealanes_own_audit_says_what_it_could_not_decide():
    row = {"id": "X-1", "package": "a", "version": "1", "severity": "UNKNOWN", "summary": "", "fixed": ["2", "3"], "file": "requirements.txt", "line": 4}  # fmt: skip
    told = dependencies.own(json.dumps({"vulnerabilities": [row], "undecided": ["a", "b", "c", "d"]}))
    assert [str(f) for f in told.findings] == [
        "requirements.txt:4: a 1: known vulnerability (fixed in 2) [dependencies X-1]"
    ]
    assert told.findings[0].severity is Severity.HIGH
    assert told.missing == "a; b; c and 1 more"
