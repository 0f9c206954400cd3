"""The loop: everything that can run runs, what can't says why, and requests are labelled with their stage."""

import anyio

from sealane import pipeline
from sealane.pipeline import Stage
from sealane.report import runs
from sealane.stages import project
from sealane.stages.result import Outcome, StageResult
from sealane.testing import RecordingEngine

CONFIG = "[tool.sealane]\n"


def run_with(monkeypatch, stages, files=None):
    monkeypatch.setattr(pipeline, "STAGES", stages)

    async def main():
        async with RecordingEngine() as engine:
            return engine, await pipeline.run(await project.read(engine.directory(files or {"pyproject.toml": CONFIG})))

    return anyio.run(main)


async def busy(_project):
    return ""


def stage(name, needs=(), outcome=Outcome.RAN, raises=None, idle=""):
    async def work(_project, _before):
        if raises:
            raise raises
        return StageResult(name, outcome)

    async def nothing(_project):
        return idle

    return Stage(name, work, nothing, needs)


def verdicts(run):
    return {r.stage: r.verdict for r in run.results}


def test_a_failure_skips_what_needs_it_and_nothing_else(monkeypatch):
    stages = (
        stage("lint", outcome=Outcome.FAILED),
        stage("test"),
        stage("build", ("lint", "test")),
        stage("sbom", ("build",)),
    )
    _, run = run_with(monkeypatch, stages)
    assert verdicts(run) == {
        "lint": "failed",
        "test": "ran",
        "build": "skipped because lint failed",
        "sbom": "skipped because build was skipped",
    }
    assert not run.passed


def test_a_stage_that_raises_is_not_run_and_hides_no_other(monkeypatch):
    _, run = run_with(monkeypatch, (stage("lint", raises=ExceptionGroup("g", [ValueError("boom")])), stage("test")))
    assert verdicts(run) == {"lint": "not run (boom)", "test": "ran"}
    assert not run.passed


def test_nothing_to_do_is_said_before_skipping(monkeypatch):
    stages = (stage("lint", outcome=Outcome.FAILED), stage("build", ("lint",), idle="no Dockerfile"))
    _, run = run_with(monkeypatch, stages)
    assert verdicts(run)["build"] == "not run (no Dockerfile)"


def test_a_broken_stage_can_be_accepted_by_name(monkeypatch):
    files = {"pyproject.toml": "[tool.sealane.gates.accept]\nscan = 'no scanner here'\n"}
    stages = (stage("scan", raises=OSError("away")), stage("build", ("scan",)))
    _, run = run_with(monkeypatch, stages, files)
    assert verdicts(run)["build"] == "ran"
    assert run.passed
    assert run.gates[0].verdict == "accepted"


def test_each_stages_requests_carry_its_name(monkeypatch):
    def asking(name):
        async def work(found, _before):
            async with anyio.create_task_group() as group:
                group.start_soon(found.source.entries)
            return StageResult(name, Outcome.RAN)

        return Stage(name, work, busy)

    engine, _ = run_with(monkeypatch, (asking("lint"), asking("test")))
    assert {"sealane.stage=lint", "sealane.stage=test"} <= set(engine.baggage)


def test_a_project_with_nothing_passes_and_says_so():
    async def main():
        async with RecordingEngine() as engine:
            run = await runs.whole(runs.Asked(engine.directory({"README": "x"})))
            return runs.summary(run), await engine.files(runs.directory(run)), run

    text, files, run = anyio.run(main)
    assert "not run (no files that a linter looks at)" in text
    assert {"run.json", "summary.md", "findings.sarif"} <= set(files)
    assert verdicts(run)["scan"].startswith("not run (")
