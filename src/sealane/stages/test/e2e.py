"""End-to-end tests: a browser in the tests' own container, against the started application."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagger

from sealane import services
from sealane.stages import install, steps
from sealane.stages.test import application, pytests, python
from sealane.stages.test.pytests import Run
from sealane.stages.test.suites import NAME, Suite

if TYPE_CHECKING:
    from sealane.stages.project import Project

_INSTANCE = f"{NAME} e2e"


def wanted(project: Project) -> bool:
    if project.changes is not None and not project.changes.tests.talks:
        return False
    return "e2e" in project.config.test.categories and bool(project.e2e_tests)


async def run(project: Project, found: list[Suite]) -> None:
    found.append(await _suite(project))


async def _suite(project: Project) -> Suite:
    config = project.config.test
    wanted = Run("e2e", project.e2e_tests, config.e2e_args)
    try:
        app = await application.of(project, _INSTANCE)
        container, notes = await install.for_tests(project, *config.e2e_packages)
    except steps.CannotRunError as error:
        return python.cannot_install(wanted, error)
    container = await python.with_environment(container, project, app.environment)
    # The tests see the same databases as the application.
    container = app.bind(services.bind(container, project.config.services, _INSTANCE))
    try:
        suite = await pytests.suite(wanted, container, project)
    except dagger.QueryError as error:
        beside = (application.ALIAS, *services.names(project.config.services))
        return python.did_not_start(wanted, beside, error)
    return suite.noting(*notes)
