"""Performance tests: Locust's users against the started application. The figures are those that Locust reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagger

from sealane import services
from sealane.errors import ReportUnreadable
from sealane.findings import Test, TestOutcome, locust
from sealane.stages import steps
from sealane.stages.scanners import scanned
from sealane.stages.test import application, suites
from sealane.stages.test.suites import NAME, Suite

if TYPE_CHECKING:
    from sealane.stages.project import Project

_NAME = "performance"
_STATS = "performance_stats.csv"


def wanted(project: Project) -> bool:
    if project.changes is not None and not project.changes.tests.talks:
        return False
    return _NAME in project.config.test.categories and project.locustfile is not None


async def run(project: Project, found: list[Suite]) -> None:
    found.append(await _suite(project))


async def _suite(project: Project) -> Suite:
    try:
        app = await application.of(project, f"{NAME} {_NAME}")
        container = await _container(project)
    except steps.CannotRunError as error:
        return Suite(_NAME, ran=False, wrong=error.message, broken=True, log=error.log)
    for name, value in (app.environment | project.config.test.env).items():
        container = container.with_env_variable(name, value)
    command = _command(project, app.url)
    limit = project.config.test.limit("performance")
    try:
        done = await steps.attempt(app.bind(container), suites.bounded(limit, command))
    except dagger.QueryError as error:
        beside = ", ".join((application.ALIAS, *services.names(project.config.services)))
        reason = f"could not start beside its services ({beside}): {steps.reason_of(error)}"
        return Suite(_NAME, ran=False, wrong=reason, broken=True, log=steps.log_of(error))
    if suites.ran_out(done):
        wrong = f"did not end within {limit} s (`test.timeout`), of which Locust was to run {_run_time(project)}"
        return Suite(_NAME, ran=True, wrong=wrong, log=done.output, container=done.container)
    return await _measured(done)


async def _container(project: Project) -> dagger.Container:
    """Locust in an environment of its own, with what the locustfile imports, beside the source."""
    names = project.config.test.performance.requirements
    container = steps.with_tools(steps.python(), "locust")
    if names:
        container = await steps.with_requirement_files(container, project, names)
        words = [word for name in names for word in ("-r", name)]
        container = container.with_exec([f"{steps.TOOLS}/bin/pip", "install", *words])
    container = await steps.installed(container, "Locust")
    return container.with_directory(steps.SOURCE, project.source)


def _run_time(project: Project) -> str:
    return project.config.test.performance.run_time


def _command(project: Project, url: str) -> list[str]:
    config = project.config.test.performance
    command = [f"{steps.TOOLS}/bin/locust", "-f", str(project.locustfile), f"--host={url}"]
    command += [f"--users={config.users}", f"--spawn-rate={config.spawn_rate:g}", f"--run-time={config.run_time}"]
    command += ["--headless", "--only-summary", f"--csv={steps.REPORTS}/performance"]
    return [*command, f"--html={steps.REPORTS}/performance-report.html", *config.args]


async def _measured(done: steps.Executed) -> Suite:
    left = await done.container.directory(steps.REPORTS).entries()
    try:
        text = (
            await scanned.text_of(done.container.file(f"{steps.REPORTS}/{_STATS}"), "Locust") if _STATS in left else ""
        )
        load = locust.read(text)
    except ReportUnreadable as error:
        notes = (f"the end of Locust's log:\n{steps.last_lines(done.output)}",)
        return Suite(_NAME, ran=True, wrong=error.message, log=done.output, container=done.container, notes=notes)
    tests = tuple(_test(request) for request in load.requests)
    failed = sum(test.failed for test in tests)
    wrong = f"{failed} of {len(tests)} kinds of request had failures" if failed else ""
    if done.exit_code and not wrong:
        wrong = f"Locust exited with {done.exit_code}: {steps.last_lines(done.output, 1)}"
    report = f"{steps.REPORTS}/performance-report.json"
    return Suite(
        _NAME,
        ran=True,
        wrong=wrong,
        tests=tests,
        log=done.output,
        container=done.container.with_new_file(report, load.json()),
        figures=load.figures,
    )


def _test(request: locust.Request) -> Test:
    """One kind of request as a test: failed when one of them was."""
    if not request.failures:
        return Test(_NAME, request.name, TestOutcome.PASSED)
    message = f"{request.failures} of {request.count} requests failed"
    return Test(_NAME, request.name, TestOutcome.FAILED, message)
