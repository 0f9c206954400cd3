"""What the module's functions answer with."""

import anyio
import pytest

from sealane.errors import PipelineFailed, StageFailed
from sealane.report import runs
from sealane.testing import RecordingEngine


def in_engine(body, files):
    async def main():
        async with RecordingEngine() as engine:
            return await body(engine, engine.directory(files))

    return anyio.run(main)


def test_a_stage_alone_has_a_report_and_a_verdict_of_its_own():
    async def body(engine, source):
        engine.on("black", exit_code=1, stderr="would reformat /src/a.py\n")
        engine.on_linters()
        run = await runs.one("lint", runs.Asked(source))
        return run, await engine.files(runs.directory(run))

    run, files = in_engine(body, {"a.py": "x=1"})
    assert {"run.json", "summary.md", "findings.sarif", "bandit-report.json", "logs/lint/black.txt"} <= set(files)
    assert [gate.name for gate in run.gates] == ["lint passes"]
    assert runs.summary(run).startswith("# Lint failed")
    with pytest.raises(PipelineFailed, match=r"a\.py: would be reformatted"):
        runs.passed(run)


def test_assert_is_silent_when_the_stage_passed():
    runs.must_have_passed("lint", passed=True, text="")
    with pytest.raises(StageFailed, match="lint did not pass"):
        runs.must_have_passed("lint", passed=False, text="why")


def test_a_stage_that_cannot_be_set_up_keeps_its_log():
    async def body(engine, source):
        engine.on("/bin/pip", exit_code=1, stderr="ERROR: the index is away\n")
        run = await runs.one("sbom", runs.Asked(source))
        return run, await engine.files(runs.directory(run))

    run, files = in_engine(body, {"Dockerfile": "FROM scratch\n"})
    assert run.results[0].verdict.startswith("not run (syft can't be installed")
    assert "the index is away" in files["logs/sbom/cannot-run.txt"]
    assert not run.passed
