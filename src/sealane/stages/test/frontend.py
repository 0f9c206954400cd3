"""The frontend's own test script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane.findings import Test, TestOutcome
from sealane.stages import steps
from sealane.stages.test import suites
from sealane.stages.test.suites import Suite

if TYPE_CHECKING:
    from sealane.stages.project import Project

_NAME = "frontend"


async def run(project: Project, found: list[Suite]) -> None:
    found.append(await _suite(project))


async def _suite(project: Project) -> Suite:
    script = project.config.frontend.test
    try:
        container = await steps.node(project)
    except steps.CannotRunError as error:
        return Suite(_NAME, ran=False, wrong=error.message, broken=steps.offline(error.log), log=error.log)
    limit = project.config.test.limit("unit")
    done = await steps.attempt(container, suites.bounded(limit, ["npm", "run", script]))
    if done.exit_code == 0:
        return Suite(_NAME, ran=True, tests=(Test(_NAME, f"npm run {script}", TestOutcome.PASSED),), log=done.output)
    wrong = f"`npm run {script}` failed"
    message = f"exited with {done.exit_code}:\n{steps.last_lines(done.output, 15)}"
    if suites.ran_out(done):
        wrong = f"`npm run {script}` did not end within {limit} s (`test.timeout`)"
        message = f"{wrong}:\n{steps.last_lines(done.output, 15)}"
    return Suite(
        _NAME,
        ran=True,
        wrong=wrong,
        tests=(Test(_NAME, f"npm run {script}", TestOutcome.FAILED, message),),
        log=done.output,
    )
