"""What the tools print, as they print it, becomes findings with file and line."""

import json

import pytest

from sealane.errors import ReportUnreadable
from sealane.findings import Finding, Severity, coverage, junit, lint, sarif

BLANK = " "  # a context line that is empty
# Printed by black 26.10.1, isort 9.0.2, flake8 7.5.0, mypy 2.4.1 and ruff 0.17.6 over one bad file.
BLACK_OUT = f"""--- /src/backend/bad.py	2026-11-23 15:15:29.360814+00:00
+++ /src/backend/bad.py	2026-11-23 15:15:29.564375+00:00
@@ -1,12 +1,12 @@
 import subprocess
 import os
 from fastapi import FastAPI
{BLANK}
{BLANK}
-def f( x ):
-    return undefined_name+x
+def f(x):
+    return undefined_name + x
"""
BLACK_ERR = "would reformat /src/backend/bad.py\nerror: cannot parse: /src/backend/syn.py:1:6\n\nOh no!\n1 file would be reformatted.\n"
ISORT_OUT = """--- /src/backend/bad.py:before	2026-11-23 15:15:29.360814
+++ /src/backend/bad.py:after	2026-11-23 15:15:29.666094
@@ -1,5 +1,6 @@
+import os
 import subprocess
-import os
"""
ISORT_ERR = "ERROR: /src/backend/bad.py Imports are incorrectly sorted and/or formatted.\n"
FLAKE8 = "./backend/bad.py:7:12: F821 undefined name 'undefined_name'\n    return undefined_name+x\n           ^\n1     F821 undefined name 'undefined_name'\n1\n"
MYPY = 'backend/bad.py:12: error: Incompatible return value type (got "str", expected "int")  [return-value]\nbackend/bad.py:12: note: see\nFound 1 error in 1 file (checked 1 source file)\n'
RUFF = "F821 Undefined name `undefined_name`\n --> backend/bad.py:7:12\n  |\n7 |     return undefined_name+x\n\nFound 1 error.\n"


def places(findings):
    return [(f.file, f.line, f.rule) for f in findings]


def test_black():
    assert places(lint.black(BLACK_OUT, BLACK_ERR)) == [
        ("backend/syn.py", 1, "syntax"),
        ("backend/bad.py", 6, "format"),
    ]


def test_isort():
    assert places(lint.isort(ISORT_OUT, ISORT_ERR)) == [("backend/bad.py", 1, "imports")]


def test_flake8_mypy_ruff():
    assert places(lint.flake8(FLAKE8)) == [("backend/bad.py", 7, "F821")]
    assert places(lint.mypy(MYPY)) == [("backend/bad.py", 12, "return-value")]
    assert places(lint.ruff(RUFF)) == [("backend/bad.py", 7, "F821")]


def test_ruff_in_one_line_each():
    said = "a.py:3:1: invalid-syntax: unexpected EOF while parsing\nsrc/b.py:1:8: F401 [*] `os` imported but unused\n"
    found = lint.ruff(said)
    assert places(found) == [("a.py", 3, "invalid-syntax"), ("src/b.py", 1, "F401")]
    assert found[1].message == "`os` imported but unused"


def test_bandit():
    row = {
        "test_id": "B602",
        "issue_severity": "HIGH",
        "issue_text": "shell",
        "filename": "backend/a.py",
        "line_number": 11,
    }
    assert lint.bandit(json.dumps({"results": [row]})) == [
        Finding("bandit", "B602", Severity.HIGH, "shell", "backend/a.py", 11)
    ]
    with pytest.raises(ReportUnreadable):
        lint.bandit("not json")


def test_what_is_written_as_sarif_is_read_back():
    findings = [
        Finding("bandit", "B602", Severity.HIGH, "shell", "a.py", 11),
        Finding("bandit", "B1", Severity.LOW, "m", "b.py"),
    ]
    assert sarif.read(sarif.write(findings, "1"), "bandit") == findings


def test_a_suppressed_result_is_no_finding():
    text = sarif.write([Finding("s", "r", Severity.HIGH, "m", "a.py", 1)], "1")
    document = json.loads(text)
    document["runs"][0]["results"][0]["suppressions"] = [{"kind": "inSource"}]
    assert sarif.read(json.dumps(document), "s") == []


JUNIT = """<?xml version="1.0"?><testsuites><testsuite name="pytest" tests="3">
<testcase classname="tests.unit.test_a" name="test_ok" time="0.5"/>
<testcase classname="tests.unit.test_a" name="test_bad"><failure message="assert 1 == 2">def test_bad():
&gt;       assert 1 == 2
/usr/local/lib/python3.11/site-packages/x.py:9: in y
tests/unit/test_a.py:7: AssertionError</failure></testcase>
<testcase classname="tests.unit.test_a" name="test_err"><error message="no database">...</error></testcase>
<testcase classname="tests.unit.test_a" name="test_skip"><skipped message="no reason"/></testcase>
</testsuite></testsuites>"""


def test_junit():
    ok, bad, err, skip = junit.read(JUNIT, "unit")
    assert (ok.failed, bad.failed, err.failed, skip.failed) == (False, True, True, False)
    assert str(bad) == "tests.unit.test_a::test_bad (tests/unit/test_a.py:7): assert 1 == 2"
    assert str(err) == "tests.unit.test_a::test_err: no database"


def test_a_file_that_cannot_be_imported_says_why():
    text = "ImportError while importing test module\ntests/test_a.py:5: in <module>\n    from .x import y\nE   ImportError: no x"
    report = f'<testsuites><testsuite><testcase name="tests.test_a"><error message="collection failure">{text.replace("<", "&lt;")}</error></testcase></testsuite></testsuites>'
    (test,) = junit.read(report, "unit")
    assert (test.message, test.file, test.line) == ("collection failure: ImportError: no x", "tests/test_a.py", 5)


def test_joined_reports_keep_every_test():
    joined = junit.join({"unit": JUNIT, "integration": JUNIT})
    assert len(junit.read(joined, "x")) == 8
    assert 'name="integration"' in joined


def test_entities_are_refused():
    with pytest.raises(ReportUnreadable):
        junit.read('<!DOCTYPE a [<!ENTITY b "c">]><testsuites/>', "unit")


def test_coverage_counts_branches_too():
    text = '<coverage version="7" lines-valid="80" lines-covered="70" branches-valid="20" branches-covered="10" line-rate="0.875">'
    assert coverage.percent(text) == 80.0
    with pytest.raises(ReportUnreadable):
        coverage.percent("<html/>")
