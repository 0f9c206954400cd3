"""What the linters print as JSON becomes findings; the reports are cut from those of the pinned versions."""

import json

import pytest

from sealane.errors import ReportUnreadable
from sealane.findings import Severity, lint_json

PYLINT = {
    "messages": [
        {"type": "warning", "symbol": "dangerous-default-value", "message": "Dangerous default value [] as argument",
         "messageId": "W0102", "line": 1, "column": 0, "path": "app/a.py", "absolutePath": "/src/app/a.py"},
    ],
    "statistics": {"score": 0},
}  # fmt: skip
HADOLINT = [
    {"code": "DL3004", "column": 1, "file": "Dockerfile", "level": "error", "line": 3, "message": "Do not use sudo"},
    {"code": "DL3015", "column": 1, "file": "Dockerfile", "level": "info", "line": 2, "message": "Avoid"},
]
ACTIONLINT = [
    {"message": 'job "b" needs job "zz"', "filepath": ".github/workflows/wf.yml", "line": 12, "column": 3,
     "kind": "job-needs", "snippet": "  b:", "end_column": 4},
]  # fmt: skip
ZIZMOR = [
    {
        "ident": "template-injection",
        "desc": "code injection via template expansion",
        "url": "https://docs.zizmor.sh/audits/#template-injection",
        "determinations": {"confidence": "High", "severity": "High", "persona": "Regular"},
        "ignored": ignored,
        "locations": [
            {
                "symbolic": {"key": {"Local": {"verbatim_path": ".github/workflows/wf.yml"}}, "annotation": said, "kind": kind},
                "concrete": {"location": {"start_point": {"row": row, "column": 8}}},
            }
            for kind, row, said in (("Hidden", 7, "this step"), ("Primary", 9, "may expand"), ("Related", 8, "this run"))
        ],
    }
    for ignored in (False, True)
]  # fmt: skip
SHELLCHECK = {
    "comments": [
        {"file": "scripts/a.sh", "line": 3, "endLine": 3, "column": 3, "endColumn": 5, "level": "warning", "code": 2154,
         "message": "x is referenced but not assigned.", "fix": None},
    ]
}  # fmt: skip
ESLINT = [
    {"filePath": "/frontend/src/a.js", "messages": [
        {"ruleId": "no-undef", "severity": 2, "message": "'x' is not defined.", "line": 4, "column": 1},
        {"ruleId": None, "fatal": True, "severity": 2, "message": "Parsing error: Unexpected token", "line": 9, "column": 1},
        {"ruleId": "no-console", "severity": 1, "message": "No.", "line": 5, "column": 1},
    ]},
    {"filePath": "/frontend/src/b.js", "messages": []},
]  # fmt: skip

CASES = [
    (lint_json.pylint, PYLINT, [("W0102", Severity.MEDIUM, "app/a.py", 1)]),
    (lint_json.hadolint, HADOLINT, [("DL3004", Severity.MEDIUM, "Dockerfile", 3), ("DL3015", Severity.LOW, "Dockerfile", 2)]),
    (lint_json.actionlint, ACTIONLINT, [("job-needs", Severity.MEDIUM, ".github/workflows/wf.yml", 12)]),
    (lint_json.zizmor, ZIZMOR, [("template-injection", Severity.HIGH, ".github/workflows/wf.yml", 10)]),
    (lint_json.shellcheck, SHELLCHECK, [("SC2154", Severity.MEDIUM, "scripts/a.sh", 3)]),
    (
        lint_json.eslint, ESLINT,
        [("no-undef", Severity.MEDIUM, "frontend/src/a.js", 4), ("syntax", Severity.MEDIUM, "frontend/src/a.js", 9),
         ("no-console", Severity.LOW, "frontend/src/a.js", 5)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("reader", "document", "expected"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_report_becomes_findings_with_place_rule_and_severity(reader, document, expected):
    found = reader(json.dumps(document))
    assert [(f.rule, f.severity, f.file, f.line) for f in found] == expected
    assert {f.tool for f in found} == {reader.__name__}


@pytest.mark.parametrize("reader", [case[0] for case in CASES], ids=lambda reader: reader.__name__)
@pytest.mark.parametrize("text", ["", "not JSON", "[1]", '{"messages": 1}', '[{"level": "unheard"}]'])
def test_a_report_that_is_none_is_an_error_not_an_empty_list(reader, text):
    with pytest.raises(ReportUnreadable):
        reader(text)
