"""Reads, joins and writes JUnit XML."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from sealane.errors import ReportUnreadable
from sealane.findings import xml
from sealane.findings.model import Test, TestOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLACE = re.compile(r"^(?P<file>[^\s:][^:\n]*\.\w+):(?P<line>\d+): ?", re.MULTILINE)
_SYNTAX = re.compile(r'^E\s+File "/src/(?P<file>[^"\n]+)", line (?P<line>\d+)', re.MULTILINE)
_NOT_COLLECTED = "collection failure"  # all that pytest's message says of a file that it can't import
_RAISED = re.compile(r"^E\s+(\S.*)$", re.MULTILINE)
_MOST_OUTPUT = 20_000
# A flaky test has the element by which Maven's Surefire marks one, and readers of JUnit know it.
_TAGS = {
    TestOutcome.ERROR: "error",
    TestOutcome.FAILED: "failure",
    TestOutcome.FLAKY: "flakyFailure",
    TestOutcome.SKIPPED: "skipped",
    TestOutcome.NOT_RUN: "skipped",
}


def read(text: str, suite: str) -> list[Test]:
    """Every test case in a report. Raises ReportUnreadable."""
    name = f"the JUnit report of {suite}"
    try:
        return [_test(case, suite) for case in xml.parse(text, name).iter("testcase")]
    except ValueError as error:
        raise ReportUnreadable(f"{name} has no figures: {error}", hint="Look at what wrote it.") from None


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
        if message == _NOT_COLLECTED:
            message = ": ".join((message, *_RAISED.findall(node.text or "")[-1:]))[:500]
        if outcome is TestOutcome.SKIPPED:
            return Test(suite, name, outcome, message, seconds=seconds)
        file, line = _place(node.text or "", case)
        return Test(suite, name, outcome, message, file, line, seconds, _output(node, case))
    return Test(suite, name, TestOutcome.PASSED, seconds=seconds)


def _place(text: str, case: ET.Element) -> tuple[str, int]:
    """Where it failed: the deepest place in the project's own code. A file that can't be parsed is named otherwise."""
    places = [m for m in _PLACE.finditer(text) if "site-packages" not in m["file"]]
    own = [m for m in places if not m["file"].startswith("/") or m["file"].startswith("/src/")]
    found = list(_SYNTAX.finditer(text)) or own or places
    if not found:
        return case.get("file", ""), 0
    return found[-1]["file"].removeprefix("/src/"), int(found[-1]["line"])


def _output(node: ET.Element, case: ET.Element) -> str:
    """The traceback, then what the test printed: the end of it, when it is long."""
    printed = ("\n".join(part.itertext()) for part in case if part.tag in {"system-out", "system-err"})
    text = "\n\n".join(filter(None, (part.strip("\n") for part in (node.text or "", *printed))))
    return text if len(text) <= _MOST_OUTPUT else f"…\n{text[-_MOST_OUTPUT:]}"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:500]


def retried(first: Iterable[Test], again: Iterable[Test]) -> tuple[Test, ...]:
    """The tests of a first run, where one that failed and passed when it was tried again is flaky."""
    passed = {test.name for test in again if test.outcome is TestOutcome.PASSED}
    return tuple(
        replace(test, outcome=TestOutcome.FLAKY) if test.failed and test.name in passed else test for test in first
    )


def join(reports: dict[str, str]) -> str:
    """One `<testsuites>` of several reports; the suites are named after the keys."""
    root = ET.Element("testsuites")
    for name, text in reports.items():
        parsed = xml.parse(text, f"the JUnit report of {name}")
        for suite in [parsed] if parsed.tag == "testsuite" else list(parsed.iter("testsuite")):
            suite.set("name", name)
            root.append(suite)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def write(tests: Iterable[Test]) -> str:
    """One report of all tests, a suite each."""
    suites: dict[str, list[Test]] = {}
    for test in tests:
        suites.setdefault(test.suite, []).append(test)
    root = ET.Element(
        "testsuites", {"name": "sealane", **_totals([test for suite in suites.values() for test in suite])}
    )
    del root.attrib["skipped"]  # which Jenkins' schema has for a suite alone
    for name, members in suites.items():
        suite = ET.SubElement(root, "testsuite", {"name": name, **_totals(members)})
        for test in members:
            _write_case(suite, test)
    return xml.printable(ET.tostring(root, encoding="unicode", xml_declaration=True)) + "\n"


def _totals(tests: list[Test]) -> dict[str, str]:
    count = {outcome: sum(test.outcome is outcome for test in tests) for outcome in TestOutcome}
    return {
        "tests": str(len(tests)),
        "failures": str(count[TestOutcome.FAILED]),
        "errors": str(count[TestOutcome.ERROR]),
        "skipped": str(count[TestOutcome.SKIPPED] + count[TestOutcome.NOT_RUN]),
        "time": f"{sum(test.seconds for test in tests):.3f}",
    }


def _write_case(suite: ET.Element, test: Test) -> None:
    classname, _, name = test.name.rpartition("::")
    case = ET.SubElement(suite, "testcase", classname=classname or test.suite, name=name, time=f"{test.seconds:.3f}")
    if test.file:
        case.set("file", test.file)
    if test.line:
        case.set("line", str(test.line))
    if test.outcome in _TAGS:
        message = f"not run: {test.message}" if test.outcome is TestOutcome.NOT_RUN else test.message
        node = ET.SubElement(case, _TAGS[test.outcome], message=message, type=test.outcome.value)
        node.text = test.output or None
