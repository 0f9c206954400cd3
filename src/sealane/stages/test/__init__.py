"""The stage test: unit and integration tests over the matrix, e2e and performance tests on request, the frontend's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from sealane.findings import TestOutcome
from sealane.stages import affected, steps
from sealane.stages.result import Outcome, StageResult, not_run
from sealane.stages.test import e2e, frontend, matrix, performance, python, suites
from sealane.stages.test.suites import NAME, Suite

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sealane.stages.project import Project

__all__ = ["NAME", "has_frontend", "nothing_to_do", "run"]


async def nothing_to_do(project: Project) -> str:
    found = any(python.runs(project, row) for row in matrix.rows(project.config))
    if found or e2e.wanted(project) or performance.wanted(project) or await has_frontend(project):
        return ""
    return "no tests" if project.changes is None else "no test is concerned by what changed"


async def run(project: Project) -> StageResult:
    """All suites, each to its end. Fails when a test failed or a suite could not be set up."""
    if nothing := await nothing_to_do(project):
        return not_run(NAME, nothing)
    result = _result(await _within_the_limit(project))
    return result if project.changes is None else result.noting(_narrowed(project))


def _result(found: list[Suite]) -> StageResult:
    ran = [suite for suite in found if suite.ran]
    wrong = [suite for suite in found if suite.wrong]
    broken = [suite for suite in wrong if suite.broken]
    report = suites.report(found)
    if not ran and (broken or not wrong):
        reason = broken[0].wrong if broken else "no tests collected"
        return not_run(NAME, reason, broken=bool(broken), report=report)
    tests = tuple(test for suite in found for test in suite.tests)
    counted = [test for test in tests if test.outcome is not TestOutcome.NOT_RUN]
    figures: dict[str, float] = {"tests": len(counted), "failed": sum(test.failed for test in tests)}
    if flaky := sum(test.outcome is TestOutcome.FLAKY for test in tests):
        figures["flaky"] = flaky
    for suite in found:
        figures |= suite.figures
    return StageResult(
        NAME,
        Outcome.FAILED if wrong else Outcome.RAN,
        "; ".join(f"{suite.name}: {suite.wrong}" for suite in wrong),
        report=report,
        notes=tuple(note for suite in found for note in suite.notes),
        tests=tests,
        figures=figures,
    )


def _narrowed(project: Project) -> str:
    """What of the tests ran and why, for the reader."""
    assert project.changes is not None
    tests = project.changes.tests
    if tests.everything:
        return f"not narrowed: {tests.everything}"
    paths = (*project.unit_tests, *project.integration_tests)
    every = [f for f in project.python if affected.is_test(f) and any(affected.inside(f, p.rstrip("/")) for p in paths)]
    ran = f"{len(tests.within(paths, project))} of {len(every)} test files, from which imports lead to what changed"
    return f"narrowed: {ran} since {project.changes.since} ({project.changes.commit[:12]}); coverage is not measured"


async def _within_the_limit(project: Project) -> list[Suite]:
    """Every suite that was done when the stage's time was up; that it was is a failure of its own."""
    calls = await _calls(project)
    done: list[list[Suite]] = [[] for _ in range(len(calls) + 1)]
    limit = project.config.limit(NAME)
    with anyio.move_on_after(limit) as scope:
        await steps.concurrently(*(partial(call, found) for call, found in zip(calls, done, strict=False)))
        if performance.wanted(project):  # after all others: it measures what the machine gives
            await performance.run(project, done[-1])
    found = [suite for part in done for suite in part]
    if scope.cancelled_caught:
        key = f"timeouts.{NAME}" if NAME in project.config.timeouts else "timeout"
        found.append(Suite("stage", ran=True, wrong=f"stopped at its limit of {limit} s (`{key}`)"))
    return found


async def _calls(project: Project) -> list[Callable[[list[Suite]], Awaitable[None]]]:
    """What runs at the same time: the rows of the matrix, the e2e tests, the frontend."""
    rows = [row for row in matrix.rows(project.config) if python.runs(project, row)]
    calls: list[Callable[[list[Suite]], Awaitable[None]]] = [partial(python.row, row.of(project), row) for row in rows]
    if e2e.wanted(project):
        calls.append(partial(e2e.run, project))
    if await has_frontend(project):
        calls.append(partial(frontend.run, project))
    return calls


async def has_frontend(project: Project) -> bool:
    if project.changes is not None and not project.changes.tests.fronts:
        return False
    return "unit" in project.config.test.categories and project.config.frontend.test in await project.node_scripts()
