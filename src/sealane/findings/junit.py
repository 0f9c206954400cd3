"""Reads, joins and writes JUnit XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from sealane.findings import xml
from sealane.findings.model import Test, TestOutcome

_PLACE = re.compile(r"^(?P<file>[^\s:][^:\n]*\.\w+):(?P<line>\d+): ?", re.MULTILINE)


def read(text: str, suite: str) -> list[Test]:
    """Every test case in a report. Raises ReportUnreadable."""
    return [_test(case, suite) for case in xml.parse(text, f"the JUnit report of {suite}").iter("testcase")]


def _test(case: ET.Element, suite: str) -> Test:
    name = "::".join(filter(None, (case.get("classname", ""), case.get("name", ""))))
    seconds = float(case.get("time") or 0)
    for tag, outcome in (
        ("error", TestOutcome.ERROR),
        ("failure", TestOutcome.FAILED),
        ("skipped", TestOutcome.SKIPPED),
    ):
        node = case.find(tag)
        if node is None:
            continue
        message = _first_line(node.get("message") or node.text or "")
        if outcome is TestOutcome.SKIPPED:
            return Test(suite, name, outcome, message, seconds=seconds)
        places = [m for m in _PLACE.finditer(node.text or "") if "site-packages" not in m["file"]]
        file, line = (places[-1]["file"], int(places[-1]["line"])) if places else (case.get("file", ""), 0)
        return Test(suite, name, outcome, message, file.removeprefix("/src/"), line, seconds)
    return Test(suite, name, TestOutcome.PASSED, seconds=seconds)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:500]


def join(reports: dict[str, str]) -> str:
    """One `<testsuites>` of several reports; the suites are named after the keys."""
    root = ET.Element("testsuites")
    for name, text in reports.items():
        parsed = xml.parse(text, f"the JUnit report of {name}")
        for suite in [parsed] if parsed.tag == "testsuite" else list(parsed.iter("testsuite")):
            suite.set("name", name)
            root.append(suite)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
