"""What is written of all stages together: SARIF, JUnit, Cobertura. Written, they read back."""

import json
from xml.etree import ElementTree as ET

import pytest

from sealane.errors import ReportUnreadable
from sealane.findings import Finding, Severity, Test, TestOutcome, coverage, junit, lint, sarif

HIGH = Finding("bandit", "B602", Severity.HIGH, "shell", "a b/ü.py", 11, "pass a list", "f" * 32)
COBERTURA = """<?xml version="1.0" ?>
<coverage version="7" lines-valid="4" lines-covered="2" branches-valid="2" branches-covered="1">
<sources><source>/src/backend</source></sources>
<packages><package name="."><classes>
<class name="app.py" filename="app.py"><methods/><lines>
<line number="1" hits="1"/>
<line number="2" hits="3" branch="true" condition-coverage="50% (1/2)" missing-branches="4"/>
<line number="4" hits="0"/>
<line number="5" hits="0"/>
</lines></class>
<class name="empty.py" filename="sub/empty.py"><methods/><lines/></class>
</classes></package></packages></coverage>"""


def results(*findings):
    document = json.loads(sarif.write(findings, "1"))
    assert document["version"] == "2.1.0"
    for run in document["runs"]:
        rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
        assert {r["ruleId"] for r in run["results"]} <= rules
        assert all(r["message"]["text"] and r["level"] in {"error", "warning", "note"} for r in run["results"])
    return [result for run in document["runs"] for result in run["results"]]


def test_sarif_keeps_fingerprint_fix_and_place():
    assert sarif.read(sarif.write([HIGH], "1"), "bandit") == [HIGH]
    (result,) = results(HIGH)
    assert result["partialFingerprints"] == {"sealane/v1": "f" * 32}
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20b/%C3%BC.py"}, "region": {"startLine": 11}}


def test_sarif_says_what_is_waived_or_known():
    waived = Finding("bandit", "B1", Severity.LOW, "m", waived="later (anna, until 2027-01-01)")
    known = Finding("bandit", "B2", Severity.LOW, "m", known=True)
    first, second = results(waived, known)
    assert first["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "later (anna, until 2027-01-01)"}
    ]
    assert [first["baselineState"], second["baselineState"]] == ["new", "unchanged"]
    assert "baselineState" not in results(HIGH)[0]


def test_a_finding_without_a_rule_has_its_tools_name_for_one():
    (result,) = results(Finding("mypy", "", Severity.MEDIUM, "exited with 2"))
    assert result["ruleId"] == "mypy"
    assert "locations" not in result


def test_a_scanners_own_fix_is_read():
    replacement = {"deletedRegion": {"startLine": 1}, "insertedContent": {"text": "run([x])"}}
    row = {
        "ruleId": "r", "message": {"text": "m"}, "fixes": [{"artifactChanges": [{"replacements": [replacement]}]}],
    }  # fmt: skip
    text = json.dumps({"runs": [{"tool": {"driver": {"name": "t"}}, "results": [row]}]})
    assert sarif.read(text, "t")[0].fix == "run([x])"


def test_junit_of_all_suites_reads_back():
    tests = [
        Test("unit", "tests.a::test_x", TestOutcome.PASSED, seconds=0.5),
        Test(
            "unit", "tests.a::test_y", TestOutcome.FAILED, "assert 1", "tests/a.py", 3, 0.25, "tests/a.py:3: \x1b[31mE"
        ),
        Test("frontend", "npm run test", TestOutcome.SKIPPED, "no node"),
    ]
    root = ET.fromstring(junit.write(tests))
    assert [(s.get("name"), s.get("tests"), s.get("failures")) for s in root] == [
        ("unit", "2", "1"),
        ("frontend", "1", "0"),
    ]
    assert (root.get("tests"), root.get("time")) == ("3", "0.750")
    assert [suite.get("skipped") for suite in root] == ["0", "1"]
    read = junit.read(junit.write(tests), "unit")
    assert [(t.name, t.outcome, t.message, t.file, t.line) for t in read[:2]] == [
        (t.name, t.outcome, t.message, t.file, t.line) for t in tests[:2]
    ]
    assert read[1].output == "tests/a.py:3: \ufffd[31mE"


def test_a_failures_output_is_traceback_and_what_was_printed():
    text = (
        '<testsuite><testcase classname="c" name="n"><failure message="m">a.py:1: E</failure>'
        "<system-out>said</system-out></testcase></testsuite>"
    )
    assert junit.read(text, "s")[0].output == "a.py:1: E\n\nsaid"
    long = text.replace("said", "y" * 50_000)
    assert len(junit.read(long, "s")[0].output) < 21_000


def test_coverage_by_file_is_relative_to_the_project():
    app, empty = coverage.files(COBERTURA)
    assert (app.file, app.covered, len(app.lines), app.percent, app.missing) == ("backend/app.py", 2, 4, 50.0, "4-5")
    assert (empty.file, empty.percent, empty.missing) == ("backend/sub/empty.py", 100.0, "")


def test_cobertura_reads_back():
    files = coverage.files(COBERTURA)
    text = coverage.write(files)
    assert coverage.files(text, root=".") == files
    assert coverage.percent(text) == coverage.percent(COBERTURA) == 50.0


def test_a_report_without_numbers_is_unreadable():
    with pytest.raises(ReportUnreadable):
        coverage.files(COBERTURA.replace('number="1"', 'number="one"'))


def test_a_formatter_says_how_to_fix_what_it_found():
    (black,) = lint.black("", "would reformat /src/a b.py\n")
    (ruff,) = lint.black("Would reformat: a.py\n", "", tool="ruff-format")
    (isort,) = lint.isort("", "ERROR: /src/a.py Imports are incorrectly sorted and/or formatted.\n")
    assert [f.fix for f in (black, ruff, isort)] == ["black 'a b.py'", "ruff format a.py", "isort a.py"]
    row = {"test_id": "B602", "issue_severity": "LOW", "issue_text": "m", "filename": "a.py", "line_number": 1}
    text = json.dumps({"results": [{**row, "more_info": "https://bandit.example/B602"}]})
    assert lint.bandit(text)[0].fix == "see https://bandit.example/B602"


def test_entities_in_a_report_of_coverage_are_refused_at_once():
    laughs = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    text = f'<!DOCTYPE coverage [<!ENTITY a "ha">{laughs}]><coverage><source>&j;</source></coverage>'
    with pytest.raises(ReportUnreadable, match="declares entities"):
        coverage.files(text)
