"""A finding's life between baseline and waivers: new, known, fixed, waived, expired, stale, moved."""

import datetime as dt
from dataclasses import replace

import anyio
import pytest

from sealane import pipeline
from sealane.config.gates import GatesConfig, Threshold, Waiver
from sealane.config.read import parse
from sealane.errors import ConfigError, ReportUnreadable
from sealane.findings import Finding, Severity, Test, TestOutcome
from sealane.gates import Policy, Verdict, baseline, evaluate
from sealane.report import runs
from sealane.stages import project
from sealane.stages.result import Outcome, StageResult
from sealane.testing import RecordingEngine

TODAY = dt.date(2026, 11, 23)
HIGH = Finding("semgrep", "eval", Severity.HIGH, "eval", "a.py", 3, fingerprint="a" * 32)
LOW = Finding("black", "format", Severity.LOW, "would be reformatted", "a.py", 1, fingerprint="b" * 32)


def waiver(expires=TODAY, **values):
    return Waiver(reason="later", owner="anna", expires=expires, **values).at("pyproject.toml:7")


def lint(*findings, **values):
    notes = values.pop("notes", ("clean: mypy",))
    return StageResult("lint", Outcome.FAILED, "black", findings=findings, notes=notes, **values)


def scan(*findings, **values):
    high = sum(f.severity is Severity.HIGH for f in findings)
    figures = {"findings": len(findings), "high": high}
    outcome = Outcome.FAILED if high else Outcome.RAN
    return StageResult("scan", outcome, f"{high} high", findings=findings, figures=figures, **values)


def policy(*waivers, known=()):
    return Policy(waivers, baseline.read(baseline.write(known), "b") if known else None, today=TODAY)


def row(name, rules, *results, **config):
    values = {"baseline": "b.json"} if rules.baseline or rules.problem else {}
    marked = tuple(rules.apply(r) for r in results)
    gates = evaluate(marked, GatesConfig(**values, **config), rules)
    return next(g for g in gates if g.name == name)


def test_known_findings_fail_nothing_and_new_ones_do():
    rules = policy(known=[LOW])
    result = rules.apply(lint(LOW))
    assert (result.outcome, result.findings[0].known) == (Outcome.RAN, True)
    assert "findings that do not count: 1 known" in result.notes
    other = Finding("black", "format", Severity.LOW, "m", "b.py", 1, fingerprint="c" * 32)
    assert rules.apply(lint(LOW, other)).outcome is Outcome.FAILED


def test_the_baseline_row_counts_known_new_and_fixed():
    gate = row("baseline", policy(known=[LOW, HIGH]), lint(LOW), scan())
    assert gate.verdict is Verdict.PASSED
    assert gate.detail.startswith("1 known, 0 new, 1 fixed")


def test_a_baseline_that_cannot_be_read_fails():
    rules = Policy(problem="b.json is not in the project", today=TODAY)
    assert row("baseline", rules, lint(LOW)).verdict is Verdict.FAILED
    with pytest.raises(ReportUnreadable):
        baseline.read("[]", "b.json")
    with pytest.raises(ReportUnreadable):
        baseline.read('{"version": 2, "findings": []}', "b.json")


def test_a_waiver_holds_to_the_end_of_its_day_and_no_longer():
    by_rule = waiver(rule="eval", path="*.py")
    result = policy(by_rule).apply(scan(HIGH))
    assert result.outcome is Outcome.RAN
    assert result.findings[0].waived == "later (anna, until 2026-11-23)"
    assert row("no high finding", policy(by_rule), scan(HIGH)).verdict is Verdict.PASSED
    expired = policy(waiver(TODAY - dt.timedelta(days=1), rule="eval", path="*.py"))
    assert expired.apply(scan(HIGH)).outcome is Outcome.FAILED
    assert row("no high finding", expired, scan(HIGH)).verdict is Verdict.FAILED
    gate = row("waivers", expired, scan(HIGH))
    assert gate.verdict is Verdict.FAILED
    assert "delete it at pyproject.toml:7" in gate.detail
    assert "expired on 2026-11-22" in gate.detail


def test_a_waiver_by_fingerprint_follows_its_finding_and_no_other():
    rules = policy(waiver(fingerprint="a" * 32))
    assert [bool(f.waived) for f in rules.apply(scan(HIGH, LOW)).findings] == [True, False]


def test_a_stale_waiver_fails_where_all_was_scanned():
    rules = policy(waiver(rule="gone", path="*"))
    assert row("waivers", rules, lint(LOW), scan()).verdict is Verdict.FAILED
    assert "matches nothing any more" in row("waivers", rules, lint(LOW), scan()).detail
    assert row("waivers", rules, lint(LOW)).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "result",
    [
        lint(LOW, notes=("frontend: not run (no network)",)),
        scan(replace(HIGH, fingerprint=LOW.fingerprint), notes=("not scanned: trivy was killed",)),
        lint(LOW, tests=(Test("unit", "t", TestOutcome.FAILED),)),
        lint(LOW, Finding("mypy", "", Severity.MEDIUM, "exited with 2", fingerprint="d" * 32)),
    ],
    ids=["a part could not run", "a scanner did not scan", "a test failed", "a tool broke down"],
)
def test_a_stage_that_failed_for_more_than_findings_stays_failed(result):
    assert policy(known=[LOW]).apply(result).outcome is Outcome.FAILED


def test_what_is_accepted_by_name_keeps_no_stage_failed():
    notes = ("not scanned (accepted): trivy: no network; accepted: offline", "nothing to scan: npm-audit: no lock")
    waived = policy(waiver(fingerprint=HIGH.fingerprint)).apply(scan(HIGH, notes=notes))
    assert waived.outcome is Outcome.RAN


def test_a_tools_breakdown_can_be_neither_known_nor_waived():
    broken = Finding("mypy", "", Severity.MEDIUM, "exited with 2", "", 0, fingerprint="d" * 32)
    assert policy(waiver(fingerprint="d" * 32)).apply(lint(broken)).findings[0].counts
    assert "d" * 32 not in baseline.write([broken])


def test_medium_findings_of_scanners_are_bounded():
    medium = Finding("semgrep", "r", Severity.MEDIUM, "m", "a.py", 1)
    gates = {g.name: g.verdict for g in evaluate((scan(*[medium] * 6),), GatesConfig())}
    assert gates["medium findings ≤ 5"] is Verdict.FAILED
    style = Finding("flake8", "F401", Severity.MEDIUM, "m", "a.py", 1)
    gates = {g.name: g.verdict for g in evaluate((lint(*[style] * 6),), GatesConfig())}
    assert gates["medium findings ≤ 5"] is Verdict.PASSED


def test_between_minimum_and_target_a_row_warns():
    result = StageResult("test", Outcome.RAN, figures={"coverage": 85.0})
    gates = {g.name: g for g in evaluate((result,), GatesConfig())}
    assert gates["coverage ≥ 80 %"].verdict is Verdict.PASSED
    warning = gates["coverage target ≥ 90 %"]
    assert (warning.verdict, warning.measured, warning.threshold, warning.look) == (
        Verdict.WARNING, "85 %", "≥ 90 %", "test",
    )  # fmt: skip


def test_any_figure_can_be_bounded_by_its_name():
    config = GatesConfig(figures={"latency": Threshold(maximum=500, target=200, unit="ms")})
    for value, verdict in ((100.0, "passed"), (501.0, "failed"), (float("nan"), "failed")):
        gates = evaluate((StageResult("test", Outcome.RAN, figures={"latency": value}),), config)
        assert next(g for g in gates if g.name == "latency ≤ 500 ms").verdict == verdict
    assert evaluate((), config)[-1].verdict is Verdict.NOT_MEASURED


def test_a_waiver_is_complete_or_an_error_and_knows_its_line():
    head = "[tool.sealane]\n\n[[tool.sealane.gates.waivers]]\n"
    rest = "reason = 'r'\nowner = 'o'\nexpires = 2027-01-01\n"
    config = parse(head + "rule = 'x'\npath = 'a.py'\n" + rest)
    assert config.gates.waivers[0].place == "pyproject.toml:3"
    with pytest.raises(ConfigError, match="fingerprint"):
        parse(head + "rule = 'x'\n" + rest)
    with pytest.raises(ConfigError, match="expires"):
        parse(head + "fingerprint = 'x'\nreason = 'r'\nowner = 'o'\n")
    with pytest.raises(ConfigError, match="ownr") as error:
        parse(head + "fingerprint = 'x'\nownr = 'o'\n" + rest)
    assert "owner" in str(error.value.hint)


def test_the_reports_own_baseline_makes_the_next_run_pass_even_when_lines_move():
    async def body(source, diff=DIFF):
        async with RecordingEngine() as engine:
            engine.on("black", exit_code=1, stdout=diff, stderr="would reformat /src/a.py\n")
            engine.on_linters()
            run = await runs.one("lint", runs.Asked(engine.directory(source)))
            return run, await engine.files(runs.directory(run))

    before, files = anyio.run(body, {"a.py": "x=1\n"})
    assert not before.passed
    config = "[tool.sealane.gates]\nbaseline = 'baseline.json'\n"
    moved = {"a.py": "# new\n\nx=1\n", "pyproject.toml": config, "baseline.json": files["baseline.json"]}
    after, _ = anyio.run(body, moved, DIFF.replace("@@ -1 +1 @@", "@@ -3 +3 @@"))
    assert [f.line for r in (before, after) for f in r.results[0].findings] == [1, 3]
    assert after.passed
    assert after.results[0].findings[0].known
    missing, _ = anyio.run(body, {"a.py": "x=1\n", "pyproject.toml": config})
    assert [g.detail for g in missing.gates if g.name == "baseline"] == [
        "baseline.json is not in the project, or can't be read"
    ]


DIFF = "--- /src/a.py\t2026\n+++ /src/a.py\t2026\n@@ -1 +1 @@\n-x=1\n+x = 1\n"


def test_what_needs_a_stage_with_known_findings_only_is_not_skipped(monkeypatch):
    async def nothing(_project):
        return ""

    async def work(_project, _before):
        return lint(LOW)

    async def build(_project, _before):
        return StageResult("build", Outcome.RAN)

    stages = (pipeline.Stage("lint", work, nothing), pipeline.Stage("build", build, nothing, ("lint",)))
    monkeypatch.setattr(pipeline, "STAGES", stages)
    text = "[[tool.sealane.gates.waivers]]\nrule='format'\npath='a.py'\nreason='r'\nowner='o'\nexpires=2999-01-01\n"

    async def main():
        async with RecordingEngine() as engine:
            return await pipeline.run(await project.read(engine.directory({"pyproject.toml": text, "a.py": "x=1"})))

    run = anyio.run(main)
    assert [r.outcome for r in run.results] == [Outcome.RAN, Outcome.RAN]
