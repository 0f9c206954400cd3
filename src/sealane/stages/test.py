"""The stage test: unit tests, then integration tests beside real services, and the frontend's own test script."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import dagger
from dagger import dag

from sealane import services
from sealane.errors import ReportUnreadable
from sealane.findings import Test, TestOutcome, coverage, junit
from sealane.stages import install, steps
from sealane.stages.result import Outcome, StageResult, not_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane.stages.project import Project

NAME = "test"
_LOGS = f"logs/{NAME}"
_NOTHING_COLLECTED = 5


@dataclass(frozen=True, slots=True)
class Suite:
    """One run of tests. `wrong` is empty when all is well; `broken` when it could not run at all."""

    name: str
    ran: bool
    wrong: str = ""
    broken: bool = False
    tests: tuple[Test, ...] = ()
    log: str = ""
    container: dagger.Container | None = None
    notes: tuple[str, ...] = ()
    junit: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


async def nothing_to_do(project: Project) -> str:
    has_tests = project.unit_tests or project.integration_tests
    if has_tests or project.config.frontend.test in await project.node_scripts():
        return ""
    return "no tests"


async def run(project: Project) -> StageResult:
    """All suites, each to its end. Fails when a test failed or a suite could not be set up."""
    calls = []
    if project.unit_tests or project.integration_tests:
        calls.append(lambda: _python(project))
    if project.config.frontend.test in await project.node_scripts():
        calls.append(lambda: _frontend(project))
    if not calls:
        return not_run(NAME, await nothing_to_do(project))
    suites = [suite for part in await steps.concurrently(*calls) for suite in part]
    ran = [suite for suite in suites if suite.ran]
    wrong = [suite for suite in suites if suite.wrong]
    broken = [suite for suite in wrong if suite.broken]
    report = await _report(suites)
    if not ran and (broken or not wrong):
        reason = broken[0].wrong if broken else "no tests collected"
        return not_run(NAME, reason, broken=bool(broken), report=report)
    tests = tuple(test for suite in suites for test in suite.tests)
    figures: dict[str, float] = {"tests": len(tests), "failed": sum(test.failed for test in tests)}
    for suite in suites:
        figures |= suite.figures
    return StageResult(
        NAME,
        Outcome.FAILED if wrong else Outcome.RAN,
        "; ".join(f"{suite.name}: {suite.wrong}" for suite in wrong),
        report=report,
        notes=tuple(note for suite in suites for note in suite.notes),
        tests=tests,
        figures=figures,
    )


async def _report(suites: list[Suite]) -> dagger.Directory:
    """What the suites left behind; the last container's /reports has all that went before it in the same chain."""
    report = dag.directory()
    containers = [suite.container for suite in suites if suite.container is not None]
    if containers:
        report = report.with_directory("/", containers[-1].directory(steps.REPORTS))
    for suite in suites:
        report = report.with_new_file(f"{_LOGS}/{suite.name}.txt", suite.log + "\n")
    written = {suite.name: suite.junit for suite in suites if suite.junit}
    if written:
        report = report.with_new_file("pytest-report.xml", junit.join(written))
    return report


async def _python(project: Project) -> list[Suite]:
    try:
        container, notes = await install.for_tests(project)
    except steps.CannotRunError as error:
        name = "unit" if project.unit_tests else "integration"
        log = steps.last_lines(error.log)
        if steps.offline(error.log):
            return [Suite(name, ran=False, wrong=error.message, broken=True, log=log)]
        return [Suite(name, ran=True, wrong=error.message, log=log, notes=(f"the end of pip's log:\n{log}",))]
    container = await _with_environment(container, project)
    suites: list[Suite] = []
    if project.unit_tests:
        suite = await _pytest("unit", container, project, project.unit_tests, project.config.test.unit_args)
        container = suite.container or container
        suites.append(suite)
    if project.integration_tests:
        container = services.bind(container, project.config.services, NAME)
        arguments = project.config.test.integration_args
        more = ("--cov-append",) if project.unit_tests else ()
        paths = project.integration_tests
        suites.append(await _integration(container, project, paths, (*more, *arguments)))
    return [replace(suites[0], notes=(*notes, *suites[0].notes)), *suites[1:]]


async def _integration(
    container: dagger.Container, project: Project, paths: tuple[str, ...], arguments: tuple[str, ...]
) -> Suite:
    name = "integration"
    try:
        return await _pytest(name, container, project, paths, arguments)
    except dagger.QueryError as error:
        beside = ", ".join(services.names(project.config.services))
        reason = f"could not start beside its services ({beside}): {steps.reason_of(error)}"
        return Suite(name, ran=False, wrong=reason, broken=True, log=steps.log_of(error))


async def _with_environment(container: dagger.Container, project: Project) -> dagger.Container:
    """`.env.test` is `.env.example` and the services' addresses; the same addresses are in the environment."""
    variables = services.urls(project.config.services) | project.config.test.env
    if variables or project.has(".env.example"):
        example = ""
        if project.has(".env.example"):
            example = (await project.source.file(".env.example").contents()).rstrip("\n") + "\n"
        lines = "".join(f"{name}={value}\n" for name, value in variables.items())
        container = container.with_new_file(f"{steps.SOURCE}/.env.test", example + lines)
    for name, value in variables.items():
        container = container.with_env_variable(name, value)
    return container.with_env_variable("COVERAGE_FILE", f"{steps.REPORTS}/.coverage")


def _coverage_of(project: Project) -> list[str]:
    names = project.config.test.coverage
    if names is None:
        names = tuple(posixpath.basename(package).removesuffix(".py") for package in project.packages) or (".",)
    return [f"--cov={name}" for name in names]


async def _pytest(
    name: str, container: dagger.Container, project: Project, paths: tuple[str, ...], arguments: tuple[str, ...]
) -> Suite:
    """One run of pytest. Raises dagger.QueryError when a service beside it does not start."""
    report = f"{steps.REPORTS}/junit-{name}.xml"
    command = ["python", "-m", "pytest", *paths, "-v", *_coverage_of(project)]
    command += [f"--cov-report=xml:{steps.REPORTS}/coverage.xml", f"--cov-report=html:{steps.REPORTS}/htmlcov"]
    command += [f"--junit-xml={report}", *arguments]
    done = await steps.attempt(container, command)
    left = set(await done.container.directory(steps.REPORTS).entries())
    text = await done.container.file(report).contents() if f"junit-{name}.xml" in left else ""
    try:
        tests = tuple(junit.read(text, name)) if text else ()
    except ReportUnreadable as error:
        return Suite(name, ran=True, wrong=error.message, log=done.output, container=done.container)
    if done.exit_code == _NOTHING_COLLECTED and not tests:
        return Suite(name, ran=False, log=done.output, container=done.container, notes=(f"{name}: no tests collected",))
    figures = await _figures(done.container) if "coverage.xml" in left else {}
    wrong = _what_is_wrong(done, tests)
    notes = (f"the end of the {name} log:\n{steps.last_lines(done.output)}",) if wrong and not tests else ()
    return Suite(
        name,
        ran=True,
        wrong=wrong,
        tests=tests,
        log=done.output,
        container=done.container,
        junit=text,
        figures=figures,
        notes=notes,
    )


async def _figures(container: dagger.Container) -> dict[str, float]:
    try:
        return {"coverage": coverage.percent(await container.file(f"{steps.REPORTS}/coverage.xml").contents())}
    except ReportUnreadable:
        return {}  # the gate then reads *not measured*


def _what_is_wrong(done: steps.Executed, tests: tuple[Test, ...]) -> str:
    failed = sum(test.failed for test in tests)
    if failed:
        return f"{failed} of {len(tests)} failed"
    if done.exit_code:
        return f"pytest exited with {done.exit_code}: {steps.last_lines(done.output, 1)}"
    return ""


async def _frontend(project: Project) -> list[Suite]:
    script = project.config.frontend.test
    name = "frontend"
    try:
        container = await steps.node(project)
    except steps.CannotRunError as error:
        return [Suite(name, ran=False, wrong=error.message, broken=steps.offline(error.log), log=error.log)]
    done = await steps.attempt(container, ["npm", "run", script])
    if done.exit_code == 0:
        return [Suite(name, ran=True, tests=(Test(name, f"npm run {script}", TestOutcome.PASSED),), log=done.output)]
    message = f"exited with {done.exit_code}:\n{steps.last_lines(done.output, 15)}"
    test = Test(name, f"npm run {script}", TestOutcome.FAILED, message)
    return [Suite(name, ran=True, wrong=f"`npm run {script}` failed", tests=(test,), log=done.output)]
