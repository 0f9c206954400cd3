"""The merge base as baseline: which commit it is, what is known by it, and that nothing is without one."""

import json
from dataclasses import replace

import anyio
import pytest

from sealane import compared, pipeline
from sealane.errors import SealaneError
from sealane.findings import Finding, Severity
from sealane.pipeline import Stage
from sealane.stages import project
from sealane.stages.changes import Changes, Repository
from sealane.stages.result import Outcome, StageResult
from sealane.testing import RecordingEngine
from sealane.vendors.model import Context, Event

COMMIT = "1" * 40
CONFIG = "stages = ['lint']\n[gates]\nbaseline = 'merge-base'\n"
TOLD = json.dumps({"base": COMMIT, "head": "2" * 40, "changed": ["new.py"], "removed": []})


async def looked(found, _before=None):
    """A stage that finds each Python file to be wrong."""
    findings = tuple(Finding("tool", "rule", Severity.MEDIUM, "wrong", name) for name in found.python)
    return StageResult("lint", Outcome.FAILED if findings else Outcome.RAN, "tool", findings=findings)


def run(monkeypatch, *, base="main", told=TOLD, repository=True, changes=None):
    """The pipeline over a tree with old.py and new.py, of which the base has the first."""

    async def busy(_project):
        return ""

    stage = Stage("lint", looked, busy)
    monkeypatch.setattr(pipeline, "STAGES", (stage,))
    monkeypatch.setattr(pipeline, "BY_NAME", {"lint": stage})

    async def main():
        async with RecordingEngine() as engine:
            engine.on("changed.py", "tree", files={"/scan/base/old.py": ""})
            engine.on("changed.py", "changes", stdout=told)
            found = await project.read(engine.directory({"sealane.toml": CONFIG, "old.py": "", "new.py": ""}))
            git = Repository(engine.directory({"HEAD": "x"})) if repository else None
            context = Context("local", Event.MANUAL, base=base)
            return await pipeline.run(replace(found, repository=git, context=context, changes=changes))

    return anyio.run(main)


def baseline(ran):
    gate = next(gate for gate in ran.gates if gate.name == "baseline")
    return str(gate.verdict), gate.detail


def test_what_the_merge_base_has_is_known(monkeypatch):
    ran = run(monkeypatch)
    assert {f.file: f.known for f in ran.results[0].findings} == {"old.py": True, "new.py": False}
    assert baseline(ran) == ("passed", "1 known, 1 new (1 in 111111111111, where main and this tree part)")
    assert not ran.passed


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"base": ""}, "SEALANE_BASE"),
        ({"repository": False}, "no repository was handed in"),
        ({"told": json.dumps({"error": "no-base", "shallow": True})}, "git fetch --unshallow"),
        ({"told": json.dumps({"error": "unknown-ref", "shallow": False})}, "git fetch origin main"),
    ],
)
def test_without_a_base_nothing_is_known_and_the_gate_fails(monkeypatch, asked, says):
    ran = run(monkeypatch, **asked)
    verdict, detail = baseline(ran)
    assert (verdict, ran.passed) == ("failed", False)
    assert says in detail
    assert not any(f.known for f in ran.results[0].findings)


def test_when_nothing_changed_nothing_runs_and_all_is_well(monkeypatch):
    ran = run(monkeypatch, changes=Changes("main", COMMIT, frozenset()))
    assert ran.passed
    assert ran.results[0].reason == "nothing changed since main (111111111111)"
    assert baseline(ran)[0] == "passed"


@pytest.mark.parametrize(
    ("context", "base"),
    [
        ({"base_commit": COMMIT, "base": "main"}, COMMIT),
        ({"base": "release", "default_branch": "main"}, "release"),
        ({"branch": "feature", "default_branch": "main"}, "main"),
    ],
)
def test_the_base_is_what_the_context_knows(context, base):
    found = project.Project(None, None, frozenset(), (), {}, Context("local", Event.MANUAL, **context))
    assert compared.base_of(found) == base


def test_the_default_branch_is_no_base_of_itself():
    context = Context("local", Event.PUSH, branch="main", default_branch="main")
    with pytest.raises(SealaneError) as error:
        compared.base_of(project.Project(None, None, frozenset(), (), {}, context))
    assert error.value.reason == "no-base"
