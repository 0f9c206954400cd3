"""The HTML page: whole in itself, and safe whatever a tool says."""

import re
from html.parser import HTMLParser

import pytest

from sealane.report import page
from sealane.report.model import (
    CoverageRow,
    FindingRow,
    GateRow,
    RunReport,
    StageRow,
    StepRow,
    SuiteRow,
    TestRow,
)

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
VOID = {"meta", "link", "rect", "img", "br", "input", "hr"}


class Elements(HTMLParser):
    """Every element with its attributes; every end tag must close what is open."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, *tags):
        return [attrs for tag, attrs in self.found if tag in tags]


def finding(severity="high", **values):
    return FindingRow(tool="semgrep", rule="r", severity=severity, message="m", file="a.py", line=3, **values)


def report(said="x", **stage):
    lint = StageRow(
        name="lint", outcome="failed", reason=said, passed=False, start=0.0, seconds=4.0, notes=[f"{said}\n{said}"],
        findings=[FindingRow(tool=said, rule=said, severity="high", message=said, file=said, line=1, fix=said)],
        tests=[TestRow(suite=said, name=said, outcome="failed", message=said, file=said, line=2, output=said)],
        suites=[SuiteRow(name=said, tests=2, failed=1, skipped=0, seconds=0.5)],
        coverage=[CoverageRow(file=said, percent=50.0, lines=2, covered=1, missing="2")],
        steps=[StepRow(name=said, verdict="ran", key="k", start=0.5, seconds=3.0, log=said)],
        **stage,
    )  # fmt: skip
    gates = [GateRow(name=said, verdict="failed", detail=said, look="lint")]
    return RunReport(passed=False, started="2026-11-23T12:00:00.000+00:00", seconds=5.0, stages=[lint], gates=gates)


def test_what_tools_say_is_text_never_markup():
    text = page.render(report(EVIL))
    elements = Elements(text)
    assert elements.all("script", "img") == []
    assert [a for _, a in elements.found if any(name.startswith("on") for name in a)] == []
    assert "&lt;script&gt;" in text


def test_the_page_asks_for_nothing():
    elements = Elements(page.render(report()))
    assert [a for a in elements.all("link") if not a["href"].startswith("data:")] == []
    assert [a for _, a in elements.found if "src" in a] == []
    policy = next(a["content"] for a in elements.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "url(" not in page.render(report())


def test_a_link_to_a_log_can_run_nothing():
    hrefs = [a["href"] for a in Elements(page.render(report("javascript:alert(1)"))).all("a")]
    assert [h for h in hrefs if h.lower().startswith("javascript:")] == []


def test_every_link_within_the_page_has_its_target():
    elements = Elements(page.render(report()))
    ids = {a["id"] for _, a in elements.found if "id" in a}
    assert {a["href"][1:] for a in elements.all("a") if a["href"].startswith("#")} <= ids


def test_findings_that_do_not_count_stand_apart():
    row = StageRow(
        name="scan", outcome="ran", passed=True, seconds=1.0,
        findings=[finding(known=True), finding("low", waived="later (anna, until 2027-01-01)")],
    )  # fmt: skip
    run = RunReport(passed=True, started="2026-11-23T12:00:00+00:00", seconds=1.0, stages=[row], gates=[])
    text = page.render(run)
    assert "No finding counts." in text
    assert "2 known or waived, which do not count" in text
    assert "later (anna, until 2027-01-01)" in text


def test_a_page_of_many_findings_says_how_many_it_leaves_out():
    row = StageRow(name="scan", outcome="ran", passed=True, seconds=1.0, findings=[finding("low")] * 1200)
    run = RunReport(passed=True, started="2026-11-23T12:00:00+00:00", seconds=1.0, stages=[row], gates=[])
    assert "200 more are in findings.sarif" in page.render(run)


@pytest.mark.parametrize(("seconds", "said"), [(0, "0 s"), (0.42, "0.42 s"), (12.3, "12 s"), (185, "3 min 5 s")])
def test_durations_are_said_as_people_do(seconds, said):
    assert page.duration(seconds) == said


def test_without_events_the_page_says_what_it_cannot_know():
    assert re.search(r"tells neither which steps were cached", page.render(report()))
