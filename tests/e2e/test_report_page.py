"""The HTML report in a real browser: on a phone, in the dark, without a mouse, and asking the network for nothing."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealane.report import page
from sealane.report.model import (
    CoverageRow,
    EngineRow,
    FindingRow,
    GateRow,
    ImageRow,
    RunReport,
    StageRow,
    StepRow,
    SuiteRow,
    TestRow,
)

pytestmark = pytest.mark.needs("chromium")

LONG = "python -m pytest tests/unit/ -v --cov=backend --cov-report=xml:/reports/coverage.xml " * 2
OUTPUT = (
    "    def test_it():\n>       assert move('a') == 'done'  "
    + "# and on " * 30
    + "\nE       AssertionError: <b>open</b>\n"
)

# Elements with text of their own whose contrast against what is behind them is under WCAG's 4.5.
POOR_CONTRAST = """(() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = parse(c).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    const p = parse(c); if (p.length < 4 || p[3] > 0) return c; } return 'rgb(255,255,255)'; };
  return [...document.body.querySelectorAll('*')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
    && e.getClientRects().length).map(e => { const a = light(getComputedStyle(e).color), b = light(behind(e));
    return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40)]; })
    .filter(([ratio]) => ratio < 4.5);
})()"""
FOCUS = "(e => e.tagName + ' ' + (e.getAttribute('href') || e.getAttribute('aria-label') || e.textContent).trim())(document.activeElement)"


def report() -> RunReport:
    """A run in which everything occurs."""
    severities: tuple[Any, ...] = ("high", "medium", "low", "low")
    findings = [
        FindingRow(
            tool="bandit", rule="B602", severity=severity, message="shell=True <script>document.title = 'owned'</script>",
            file=f"backend/a_folder_of_a_long_name/another_one_that_is_as_long/module_{n}.py", line=n, fix="a list",
            fingerprint="f" * 32, waived="later (anna, until 2027-01-01)" if n == 3 else "",
        )
        for n, severity in enumerate(severities)
    ]  # fmt: skip
    steps = [
        StepRow(name=LONG, verdict="ran", key="k1", start=0.1, seconds=3.0, log="logs/lint/01.log", exit_code=1),
        StepRow(name="pip install -r requirements.txt", verdict="cached", key="k2", start=0.0),
    ]
    lint = StageRow(
        name="lint", outcome="failed", reason="bandit", passed=False, start=0.0, seconds=4.0, findings=findings,
        steps=steps, notes=["mypy: not run\nthe end of the log\n" + LONG], verdict="ran",
    )  # fmt: skip
    test = StageRow(
        name="test", outcome="failed", reason="1 of 2 failed", passed=False, start=0.0, seconds=3.0,
        figures={"tests": 2, "coverage": 85.5}, suites=[SuiteRow(name="unit", tests=2, failed=1, skipped=1, seconds=1.0)],
        tests=[
            TestRow(suite="unit", name="tests.unit.test_tasks::test_it", outcome="failed", message="m", output=OUTPUT),
            TestRow(suite="unit", name="tests.unit.test_tasks::test_that", outcome="skipped", message="needs: windows"),
        ],
        coverage=[CoverageRow(file="backend/app.py", percent=85.5, lines=40, covered=30, missing="3, 7-9, " * 20)],
    )  # fmt: skip
    build = StageRow(name="build", outcome="skipped", reason="lint failed", passed=False, start=4.0, seconds=0.0)
    verdicts: tuple[Any, ...] = ("passed", "warning", "failed", "accepted", "not measured")
    gates = [
        GateRow(name=f"gate {v}", verdict=v, detail="why " * 20, threshold="≥ 80 %", look="test") for v in verdicts
    ]
    return RunReport(
        passed=False, started="2026-11-23T12:00:00.000+00:00", seconds=4.2, stages=[lint, test, build], gates=gates,
        images=[ImageRow(ref="docker.io/library/python:3.11-slim", origin="catalog", digest="sha256:" + "a" * 64)],
        engine=EngineRow(events=True, warnings=["built here"]),
    )  # fmt: skip


def chromium_driver() -> Any:
    spec = importlib.util.spec_from_file_location("browser", Path(__file__).with_name("browser.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    command = shutil.which("chromium")
    assert command is not None
    with chromium_driver().Browser(command, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("report") / "report.html"
    written.write_text(page.render(report()))
    return written


def test_the_page_shows_every_part_and_asks_for_nothing(browser: Any, file: Path):
    browser.open(file)
    assert browser.value("document.title") == "Pipeline failed · Sealane"
    shown = browser.value("document.body.innerText")
    for part in (
        "Stages",
        "Gates",
        "Timeline",
        "Findings",
        "Tests",
        "Coverage",
        "critical path",
        "<b>open</b>",
        "3, 7-9",
    ):
        assert part in shown
    assert {url for url in browser.asked if not url.startswith("data:")} == {file.as_uri()}
    assert browser.said == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_window(browser: Any, file: Path, width: int):
    browser.open(file, width=width)
    assert browser.value("document.documentElement.scrollWidth") <= width
    over = "[...document.querySelectorAll('section')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.id)"
    assert browser.value(over) == []


def test_a_phone_shows_the_names_of_steps(browser: Any, file: Path):
    browser.open(file, width=390)
    widths = browser.value("[...document.querySelectorAll('.bars .step .name')].map(e => e.clientWidth)")
    assert len(widths) == 2
    assert min(widths) > 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_all_text_stands_out_from_its_ground(browser: Any, file: Path, scheme: str, width: int):
    browser.open(file, scheme=scheme, width=width)
    grey = browser.value("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
    assert (grey < 60) == (scheme == "dark")
    assert browser.value(POOR_CONTRAST) == []


def test_the_keyboard_reaches_all_that_can_be_opened_or_scrolled(browser: Any, file: Path):
    browser.open(file)
    browser.press("Tab", 9)
    assert browser.value(FOCUS) == "A #main"
    assert browser.value("document.activeElement.getBoundingClientRect().left") >= 0
    wanted = browser.value("document.querySelectorAll('a, summary, pre').length")
    seen = {browser.value(FOCUS)}
    for _ in range(wanted + 2):
        browser.press("Tab", 9)
        seen.add(browser.value(FOCUS))
    assert {"A #gates", "A #stage-test", "A logs/lint/01.log"} <= seen
    assert any(name.startswith("PRE Output of") for name in seen)
    assert any(name.startswith("SUMMARY") and "skipped" in name for name in seen)


def test_enter_opens_and_closes_what_is_folded(browser: Any, file: Path):
    browser.open(file)
    browser.value("[...document.querySelectorAll('summary')].at(-1).focus()")
    before = browser.value("document.activeElement.parentElement.open")
    browser.press("Enter", 13, "\r")
    assert browser.value("document.activeElement.parentElement.open") is not before


def test_focus_can_be_seen(browser: Any, file: Path):
    browser.open(file)
    for _ in range(3):
        browser.press("Tab", 9)
    assert browser.value("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
