"""The Python tests of one row of the matrix: unit, then integration beside services of the row's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagger

from sealane import services
from sealane.stages import install, steps
from sealane.stages.test import pytests, suites
from sealane.stages.test.pytests import Run
from sealane.stages.test.suites import NAME, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sealane.stages.project import Project
    from sealane.stages.test.matrix import Row

_MOST_SAID = 200  # an engine may go on with advice that is longer than the reason


def runs(project: Project, row: Row) -> list[Run]:
    """What is asked for and there, of it what changes concern. Of a part of the tests no coverage is taken."""
    config, found = project.config.test, []
    covered = row.covered and not (project.changes and project.changes.tests.narrowed)
    quiet = (
        () if covered or not row.covered else ("--no-cov",)
    )  # the project's own settings may ask for it, and a least
    unit, integration = chosen(project, project.unit_tests), chosen(project, project.integration_tests)
    if "unit" in config.categories and unit:
        found.append(Run("unit", unit, (*quiet, *config.unit_args), row.label, covered))
    if "integration" in config.categories and integration:
        more = ("--cov-append",) if found and covered else ()
        arguments = (*more, *quiet, *config.integration_args)
        found.append(Run("integration", integration, arguments, row.label, covered))
    return found


def chosen(project: Project, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Of folders with tests what is to run."""
    return paths if project.changes is None else project.changes.tests.within(paths, project)


async def row(project: Project, row: Row, found: list[Suite]) -> None:
    """Runs one row; each suite is in `found` as soon as it is done."""
    wanted = runs(project, row)
    reason = row.missing or ("" if row.covered or not wanted else await _unavailable(project))
    if reason:
        missing = [suites.not_run(run.name, reason) for run in wanted]
        found += [missing[0].noting(f"{row.label}: not run ({reason})"), *missing[1:]]
        return
    try:
        container, notes = await install.for_tests(project)
    except steps.CannotRunError as error:
        found.append(cannot_install(wanted[0], error))
        return
    container = await with_environment(container, project, covered=row.covered)
    for run in wanted:
        if run.category == "integration":
            instance = NAME if row.covered or not row.label else f"{NAME} {row.label}"
            suite = await _integration(run, services.bind(container, project.config.services, instance), project)
        else:
            suite = await pytests.suite(run, container, project)
            container = suite.container or container
        found.append(suite.noting(*notes))
        notes = ()


async def _unavailable(project: Project) -> str:
    """Why there is no such Python here; empty when there is."""
    try:
        await steps.python(project.config).sync()
    except dagger.QueryError as error:
        said = steps.reason_of(error)
        said = said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]}…"
        return f"{project.config.python_image} can't be had: {said}"
    return ""


def cannot_install(run: Run, error: steps.CannotRunError) -> Suite:
    log = steps.last_lines(error.log)
    if steps.offline(error.log):
        return Suite(run.name, ran=False, wrong=error.message, broken=True, log=log, slug=run.slug)
    notes = (f"the end of pip's log:\n{log}",)
    return Suite(run.name, ran=True, wrong=error.message, log=log, slug=run.slug, notes=notes)


async def _integration(run: Run, container: dagger.Container, project: Project) -> Suite:
    try:
        return await pytests.suite(run, container, project)
    except dagger.QueryError as error:
        beside = services.names(project.config.services)
        return did_not_start(run, beside, error)


def did_not_start(run: Run, beside: Sequence[str], error: dagger.QueryError) -> Suite:
    reason = f"could not start beside its services ({', '.join(beside)}): {steps.reason_of(error)}"
    return Suite(run.name, ran=False, wrong=reason, broken=True, log=steps.log_of(error), slug=run.slug)


async def with_environment(
    container: dagger.Container, project: Project, more: Mapping[str, str] | None = None, *, covered: bool = False
) -> dagger.Container:
    """`.env.test` is `.env.example` and the services' addresses; the same addresses are in the environment."""
    variables = services.urls(project.config.services) | dict(more or {}) | project.config.test.env
    if variables or project.has(".env.example"):
        example = ""
        if project.has(".env.example"):
            example = (await project.source.file(".env.example").contents()).rstrip("\n") + "\n"
        lines = "".join(f"{name}={value}\n" for name, value in variables.items())
        container = container.with_new_file(f"{steps.SOURCE}/.env.test", example + lines)
    for name, value in variables.items():
        container = container.with_env_variable(name, value)
    # What is not asked to measure may be told to by the project's own settings: not into the report then.
    return container.with_env_variable("COVERAGE_FILE", f"{steps.REPORTS if covered else '/tmp'}/.coverage")  # noqa: S108
