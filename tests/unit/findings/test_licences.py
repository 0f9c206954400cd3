"""Licences as packages' metadata say them, and what a policy makes of them."""

import json

import pytest

from sealane.config.stages import LicencesConfig
from sealane.errors import ReportUnreadable
from sealane.findings import Severity, licences

ROW = {"ecosystem": "PyPI", "name": "Thing", "version": "1.0", "expression": "", "field": "", "classifiers": []}
BSD = "License :: OSI Approved :: BSD License"
MIT = "License :: OSI Approved :: MIT License"


def said(policy: LicencesConfig, *rows: dict[str, object], places=None):
    found = licences.read(json.dumps([{**ROW, **row} for row in rows]), policy, places or {})
    return [(f.rule, f.severity, f.file, f.line) for f in found.findings]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"expression": "MIT OR Apache-2.0"}, "MIT OR Apache-2.0"),
        ({"expression": "(MIT AND BSD-3-Clause) OR GPL-2.0-or-later"}, "(MIT AND BSD-3-Clause) OR GPL-2.0-or-later"),
        ({"expression": "GPL-2.0-only WITH Classpath-exception-2.0"}, "GPL-2.0-only WITH Classpath-exception-2.0"),
        ({"field": "The MIT License (MIT)"}, "MIT"),
        ({"field": "Apache License, Version 2.0"}, "Apache-2.0"),
        ({"field": "MIT"}, "MIT"),
        ({"field": "Copyright (c) 2020 Somebody. Permission is hereby granted", "classifiers": [MIT]}, "MIT"),
        ({"classifiers": [BSD, MIT]}, "BSD OR MIT"),
        ({"field": "UNKNOWN"}, ""),
        ({"expression": "UNLICENSED"}, ""),
        ({"expression": "SEE LICENSE IN LICENSE.txt"}, ""),
        ({"classifiers": ["License :: Other/Proprietary License"]}, ""),
        ({}, ""),
    ],
)
def test_a_licence_is_read_from_what_metadata_say(row: dict[str, object], expected: str):
    assert licences.licence({**ROW, **row}) == expected


@pytest.mark.parametrize(
    ("expression", "allow", "deny", "expected"),
    [
        ("MIT", (), (), True),
        ("MIT", ("MIT",), (), True),
        ("GPL-3.0-only", ("MIT",), (), False),
        ("GPL-3.0-only", (), ("GPL-*",), False),
        ("LGPL-3.0-only", (), ("GPL-*",), True),
        ("GPL-3.0-only OR MIT", (), ("GPL-*",), True),
        ("GPL-3.0-only AND MIT", (), ("GPL-*",), False),
        ("MIT OR Apache-2.0 AND GPL-2.0-only", ("MIT",), (), True),
        ("(MIT OR Apache-2.0) AND GPL-2.0-only", ("MIT", "Apache-2.0"), (), False),
        ("(MIT OR GPL-2.0-only) AND (BSD-3-Clause OR GPL-2.0-only)", ("MIT", "BSD-*"), (), True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ("GPL-2.0-only WITH *",), (), True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", (), ("GPL-*",), False),
        ("MIT", ("*",), ("MIT",), False),
    ],
)
def test_a_policy_decides(expression: str, allow: tuple[str, ...], deny: tuple[str, ...], *, expected: bool):
    assert licences.allowed(expression, LicencesConfig(allow=allow, deny=deny)) is expected


def test_findings_stand_where_the_package_is_asked_for():
    policy = LicencesConfig(allow=("MIT",), deny=("AGPL-*",), packages={"Known": "MIT"})
    rows = (
        {"name": "Fine", "expression": "MIT"},
        {"name": "Thing", "expression": "AGPL-3.0-only"},
        {"name": "Other", "expression": "ISC"},
        {"name": "Silent"},
        {"name": "Known"},
    )
    assert said(policy, *rows, places={("PyPI", "thing"): ("requirements.txt", 3)}) == [
        ("licence-denied", Severity.HIGH, "requirements.txt", 3),
        ("licence-not-allowed", Severity.HIGH, "", 0),
        ("licence-unknown", Severity.MEDIUM, "", 0),
    ]


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '[{"name": "x"}]', "null"])
def test_a_report_that_is_none_is_refused(text: str):
    with pytest.raises(ReportUnreadable):
        licences.read(text, LicencesConfig(), {})
