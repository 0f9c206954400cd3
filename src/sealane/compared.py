"""The baseline `merge-base`: what the stages find in the tree that a run is compared with is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sealane.errors import SealaneError
from sealane.gates.baseline import Baseline
from sealane.gates.policy import Policy
from sealane.stages import changes as changed
from sealane.stages import project as projects
from sealane.stages import steps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import dagger

    from sealane.pipeline import Stage
    from sealane.stages.project import Project
    from sealane.stages.result import StageResult

FINDERS = ("lint", "scan", "image-scan")
_HINT = "Name the base: `--changed-since REF`, or SEALANE_BASE=BRANCH in the environment of `sealane call`."


async def policy(
    project: Project, stages: Sequence[Stage], run_stage: Callable[[Stage, Project], Awaitable[StageResult]]
) -> Policy:
    """What these stages find in the merge base, by this project's configuration. A base that can't be had is a problem
    that fails the gate: without it nothing may count as known.
    """
    config = project.config.gates
    ref, commit = "", ""
    try:
        ref = project.changes.since if project.changes is not None else base_of(project)
        if project.changes is not None and project.changes.nothing:
            return Policy(config.waivers, Baseline({}, project.changes.nothing))
        commit = await _commit(project, ref)
        assert project.repository is not None
        base = await _base(project, await changed.tree(project.repository, commit))
    except SealaneError as error:
        return Policy(config.waivers, problem=". ".join(filter(None, (error.message, error.hint))))
    results = await steps.concurrently(*((lambda s=stage: run_stage(_named(s), base)) for stage in stages))
    known = {f.fingerprint: str(f) for result in results for f in result.findings if f.fingerprint and f.rule}
    unseen = [f"{r.stage} could not look at it: {r.reason}" for r in results if not r.passed and not r.findings]
    where = f"{len(known)} in {commit[:12]}, where {ref} and this tree part"
    return Policy(config.waivers, Baseline(known, "; ".join((where, *unseen))))


def base_of(project: Project) -> str:
    """What a run is compared with when nobody says it: what the context knows. Raises SealaneError (`no-base`)."""
    context = project.context
    default = "" if context.on_default_branch else context.default_branch
    ref = context.base_commit or context.base or default
    if not ref:
        raise SealaneError("nobody knows what this run is to be compared with", reason="no-base", hint=_HINT)
    return ref


async def _commit(project: Project, ref: str) -> str:
    if project.changes is not None:
        return project.changes.commit
    return await changed.commit(project, project.repository, ref)


async def _base(project: Project, tree: dagger.Directory) -> Project:
    """The base as these settings see it; of it what changed since, where the run is narrowed."""
    base = replace(await projects.read(tree), config=project.config, context=project.context)
    if project.changes is None:
        return base
    return replace(
        base, changes=replace(project.changes, files=project.changes.files & base.files, removed=frozenset())
    )


def _named(stage: Stage) -> Stage:
    """Under a name of its own: an engine's events of it are none of this tree's stage."""
    return replace(stage, name=f"base {stage.name}", needs=())
