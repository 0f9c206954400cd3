"""The graph of stages, and the one loop that runs it.

Every stage runs as soon as those it looks at are done, and a failing stage never hides another's result.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio
import dagger
from dagger import dag
from opentelemetry import baggage, context

from sealane import compared
from sealane.config.gates import MERGE_BASE
from sealane.errors import ReportUnreadable, SealaneError
from sealane.findings import coverage, fingerprint, sources
from sealane.gates import Gate, Policy, Verdict, evaluate, policy
from sealane.gates.rules import accepted, without_bounds
from sealane.stages import build, image_scan, lint, sbom, scan, steps, test
from sealane.stages.result import Outcome, StageResult, not_run, skipped
from sealane.stages.scanners import scanned

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from sealane.stages.changes import Changes
    from sealane.stages.project import Project

LABEL = "sealane.stage"
_GRACE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Stage:
    """A node of the graph. `needs` must have passed, or this stage is skipped; `nothing_to_do` is asked before that."""

    name: str
    run: Callable[[Project, Mapping[str, StageResult]], Awaitable[StageResult]]
    nothing_to_do: Callable[[Project], Awaitable[str]]
    needs: tuple[str, ...] = ()


def _sbom(project: Project, before: Mapping[str, StageResult]) -> Awaitable[StageResult]:
    return sbom.run(project, before[build.NAME].image if build.NAME in before else None)


def _image_scan(project: Project, before: Mapping[str, StageResult]) -> Awaitable[StageResult]:
    return image_scan.run(project, before[build.NAME].image if build.NAME in before else None)


# lint, test and scan start together: a failed lint stops neither of the others, so that one run shows all.
STAGES: tuple[Stage, ...] = (
    Stage(lint.NAME, lambda project, _: lint.run(project), lint.nothing_to_do),
    Stage(test.NAME, lambda project, _: test.run(project), test.nothing_to_do),
    Stage(scan.NAME, lambda project, _: scan.run(project), scan.nothing_to_do),
    Stage(build.NAME, lambda project, _: build.run(project), build.nothing_to_do, (lint.NAME, test.NAME, scan.NAME)),
    # Before anything leaves this machine: what publishes an image needs this stage.
    Stage(image_scan.NAME, _image_scan, image_scan.nothing_to_do, (build.NAME,)),
    Stage(sbom.NAME, _sbom, sbom.nothing_to_do, (build.NAME,)),
)
BY_NAME = {stage.name: stage for stage in STAGES}


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of the pipeline: every stage's result in the graph's order, and the gates over them.

    `whole` is false for one stage alone. One that is narrowed to `changes` may never decide what is published.
    """

    project: Project
    results: tuple[StageResult, ...]
    gates: tuple[Gate, ...]
    started: float
    seconds: float
    whole: bool = True
    changes: Changes | None = None

    @property
    def passed(self) -> bool:
        return all(gate.verdict is not Verdict.FAILED for gate in self.gates)


@dataclass(slots=True)
class _Progress:
    """What is done so far; each stage's event is set when its result is there, `judged` when the policy is."""

    policy: Policy = field(default_factory=Policy)
    judged: anyio.Event = field(default_factory=anyio.Event)
    results: dict[str, StageResult] = field(default_factory=dict)
    done: dict[str, anyio.Event] = field(default_factory=dict)


async def run(project: Project, graph: Sequence[Stage] | None = None) -> Run:
    """All configured stages; or all of `graph`, stages of another kind."""
    started = time.time()
    stages = [stage for stage in STAGES if stage.name in project.config.stages] if graph is None else graph
    progress = _Progress(done={stage.name: anyio.Event() for stage in stages})
    ready = [(lambda s=stage: _when_ready(s, project, progress)) for stage in stages]
    await steps.concurrently(lambda: _judge(stages, project, progress), *ready)
    results = tuple(progress.results[stage.name] for stage in stages)
    whole = graph is None and project.changes is None
    gates = evaluate(results, project.config.gates, progress.policy, whole=whole)
    seconds = round(time.time() - started, 2)
    return Run(project, results, gates, started, seconds, whole=graph is None, changes=project.changes)


async def _judge(stages: Sequence[Stage], project: Project, progress: _Progress) -> None:
    progress.policy = await _policy([stage.name for stage in stages], project)
    progress.judged.set()


async def _policy(names: Sequence[str], project: Project) -> Policy:
    """Waivers and baseline. Against a merge base that takes its own run of the stages that find something."""
    if project.config.gates.baseline != MERGE_BASE:
        return await policy.load(project)
    looking = [BY_NAME[name] for name in names if name in compared.FINDERS]
    return await compared.policy(project, looking, run_stage)


async def _when_ready(stage: Stage, project: Project, progress: _Progress) -> None:
    needs = [name for name in stage.needs if name in progress.done]
    for name in needs:
        await progress.done[name].wait()
    because = "; ".join(filter(None, (_stops(progress.results[name], project) for name in needs)))
    result = await run_stage(stage, project, progress.results, because)
    await progress.judged.wait()
    progress.results[stage.name] = progress.policy.apply(result)
    progress.done[stage.name].set()


def _stops(result: StageResult, project: Project) -> str:
    """Why nothing may come after this result; empty when something may."""
    if result.passed or accepted(result, project.config.gates.accept):
        return ""
    if result.outcome is Outcome.FAILED:
        return f"{result.stage} failed"
    return f"{result.stage} was skipped" if result.outcome is Outcome.SKIPPED else f"{result.stage} did not run"


async def run_stage(
    stage: Stage, project: Project, before: Mapping[str, StageResult] | None = None, because: str = ""
) -> StageResult:
    """One stage to its end, whatever happens in it.

    Its requests carry the W3C baggage `sealane.stage=<name>`, by which an engine's events can be told apart.
    """
    token = context.attach(baggage.set_baggage(LABEL, stage.name))
    begun, started = time.monotonic(), time.time()
    try:
        nothing = project.changes.nothing if project.changes is not None else ""
        nothing = nothing or await stage.nothing_to_do(project)
        if nothing:
            result = not_run(stage.name, nothing)
        elif because:
            result = skipped(stage.name, because)
        else:
            # A stage that stops itself at its limit, to say what it has till then, gets the time for that.
            with anyio.fail_after(project.config.limit(stage.name) + _GRACE_SECONDS):
                result = await _described(await stage.run(project, before or {}), project)
    except TimeoutError:
        reason = f"stopped at its limit of {project.config.limit(stage.name)} s (`timeout`, `timeouts.{stage.name}`)"
        result = not_run(stage.name, reason, broken=True)
    except steps.CannotRunError as error:
        result = _cannot_run(stage.name, error)
    except SealaneError as error:
        result = not_run(stage.name, error.message, broken=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other stages' results must come out
        result = not_run(stage.name, steps.reason_of(steps.unwrapped(error)), broken=True)
    finally:
        context.detach(token)
    return result.timed(time.monotonic() - begun, started)


async def run_alone(name: str, project: Project) -> Run:
    """One stage as a run of its own, whose only gate is the stage's (and that of waivers and baseline)."""
    started = time.time()
    rules = await _policy([name], project)
    result = rules.apply(await run_stage(BY_NAME[name], project))
    gates = evaluate((result,), without_bounds(project.config.gates), rules, whole=False)
    return Run(project, (result,), gates, started, result.seconds, whole=False, changes=project.changes)


async def _described(result: StageResult, project: Project) -> StageResult:
    """With each finding's fingerprint, and with coverage by file."""
    files = {finding.file for finding in result.findings if project.has(finding.file)}
    stamped = fingerprint.stamp(result.findings, await sources.read(project.source, files) if files else {})
    result = replace(result, findings=stamped)
    if "coverage" not in result.figures or result.report is None:
        return result
    try:
        text = await scanned.text_of(result.report.file("coverage.xml"), "coverage")
        return replace(result, coverage=coverage.files(text))
    except (dagger.DaggerError, ReportUnreadable) as error:
        return replace(result, notes=(*result.notes, f"no coverage by file: {error}"))


def _cannot_run(stage: str, error: steps.CannotRunError) -> StageResult:
    log = steps.last_lines(error.log)
    report = dag.directory().with_new_file(f"logs/{stage}/cannot-run.txt", error.log + "\n")
    result = not_run(stage, error.message, broken=True, report=report)
    return replace(result, notes=(f"the end of the log:\n{log}",)) if log else result
