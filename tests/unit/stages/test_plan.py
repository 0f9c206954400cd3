"""The plan says, before anything runs, what a run then does and what it leaves out, in the same words."""

import pytest

from sealane import pipeline, plan

ADVISORIES = "[tool.sealane.scan]\nadvisories = 'osv'\n"


def planned(engine_run, **changes):
    async def body(_engine, project):
        return await plan.of(project)

    found = engine_run(body, **changes)
    return {stage.name: stage for stage in found.stages}, found.gates


def parts(stage):
    return {part.name: part for part in stage.parts}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pyproject.toml": "[tool.sealane]\nstages = ['lint', 'build']\n"},
        {"pyproject.toml": "[tool.sealane.build]\ndockerfile = 'none'\n"},
        {"frontend/package.json": '{"scripts": {"test": "node --test"}}', "pyproject.toml": ADVISORIES},
    ],
)
def test_stages_and_gates_are_those_of_the_run(engine_run, changes):
    async def body(_engine, project):
        return await plan.of(project), await pipeline.run(project)

    said, ran = engine_run(body, **changes)
    named = {stage.name: stage for stage in said.stages if not stage.verdict.startswith("left out")}
    assert list(named) == [result.stage for result in ran.results]
    for result in ran.results:
        if named[result.stage].verdict != plan.RUNS:
            assert named[result.stage].verdict == result.verdict
    missing = {f"{r.stage} passes" for r in ran.results if named[r.stage].verdict != plan.RUNS}
    assert {gate.name for gate in ran.gates} - missing == {name for name in said.gates if "target" not in name}


def test_the_linters_are_those_that_run_and_the_others_say_what_is_missing(engine_run):
    async def body(engine, project):
        said = await plan.of(project)
        await pipeline.run_alone("lint", project)
        return said, engine.steps

    said, steps = engine_run(body)
    tools = parts(said.stages[0])
    # A tool that is bounded in time stands behind `timeout -k 10 900`.
    commands = {step.args[4 if step.args[0] == "timeout" else 0].rpartition("/")[2] for step in steps}
    ran = commands & set(tools)
    assert {name for name, part in tools.items() if part.runs} == ran
    assert tools["zizmor"].says == "no .github/workflows"
    assert tools["eslint"].says == "no package.json"
    assert "black==" in tools["black"].says


def test_categories_that_are_not_asked_for_say_so(engine_run):
    stages, _ = planned(engine_run, **{"tests/e2e/test_a.py": ""})
    tests = parts(stages["test"])
    assert tests["unit"].says == "pytest tests/unit/ --maxfail=1 -x"
    assert tests["integration"].says.endswith("beside postgres (postgres:15), redis (redis:7)")
    assert (tests["e2e"].runs, "--categories" in tests["e2e"].says) == (False, True)
    assert tests["performance"].says == "no tests"
    assert tests["packages"].says == "requirements.txt, requirements-test.txt, pytest, pytest-cov"


def test_a_matrix_is_a_row_for_each_and_what_linux_lacks_is_out(engine_run):
    text = "[tool.sealane.test.matrix]\npython = ['3.9', '3.11']\nsystem = ['linux', 'macos']\n"
    stages, _ = planned(engine_run, **{"pyproject.toml": text})
    tests = parts(stages["test"])
    assert tests["unit (python 3.9)"].runs
    assert not tests["unit (macos)"].runs


@pytest.mark.parametrize(
    ("text", "changes", "runs", "says"),
    [
        ("", {}, False, "not scanned: dependencies need advisories"),
        ("[tool.sealane.gates.accept]\ndependencies = 'none here'\n", {}, False, "not scanned (accepted: none here)"),
        (ADVISORIES, {"osv/a.json": "{}"}, True, "requirements-test.txt, requirements.txt against osv"),
    ],
)
def test_a_scanner_that_cannot_scan_is_known_beforehand(engine_run, text, changes, runs, says):
    stages, _ = planned(engine_run, **{"pyproject.toml": text, **changes})
    part = parts(stages["scan"])["dependencies"]
    assert part.runs is runs
    assert part.says.startswith(says)


def test_an_image_that_says_nothing_is_built_and_not_started(engine_run):
    stages, _ = planned(engine_run, Dockerfile="FROM scratch\n")
    assert parts(stages["build"])["start"].says == "not started (no HEALTHCHECK, no EXPOSE, no `build.health`)"
    assert stages["build"].needs == ("lint", "test", "scan")
    assert stages["image-scan"].verdict == "not run (scan.image-scanners names none)"


def test_a_report_that_is_handed_in_is_read(engine_run):
    text = "[tool.sealane.scan]\nscanners = ['trivy', 'npm-audit', 'licences']\nreports = {snyk = 'snyk.json'}\n"
    stages, _ = planned(engine_run, **{"pyproject.toml": text})
    assert parts(stages["scan"])["snyk"].says == "reads snyk.json"
    assert all(part.says for part in stages["scan"].parts)
