"""The running application that e2e and performance tests talk to: the project's image, or a command of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagger

from sealane.stages import build, dockerfile, install, started, steps

if TYPE_CHECKING:
    from sealane.stages.project import Project

ALIAS = "application"  # not `app`: browsers know that name as a domain that is never asked without TLS


@dataclass(frozen=True, slots=True)
class Application:
    """`environment` tells a test where it is."""

    service: dagger.Service
    url: str
    environment: dict[str, str]

    def bind(self, container: dagger.Container) -> dagger.Container:
        return container.with_service_binding(ALIAS, self.service)


async def of(project: Project, instance: str) -> Application:
    """The application beside databases of this instance's own. Raises CannotRunError when it can't be built."""
    config = project.config.test.application
    if config.command:
        service, port = await _command(project, instance), config.port
    elif project.has(project.config.build.dockerfile):
        service, port = await _image(project, instance)
    else:
        raise steps.CannotRunError(
            f"there is no application to test: no {project.config.build.dockerfile}, no `test.application.command`"
        )
    url = f"http://{ALIAS}:{port}"
    return Application(service, url, {config.url_variable: url})


async def _image(project: Project, instance: str) -> tuple[dagger.Service, int]:
    try:
        built = await (await build.image(project)).sync()
    except dagger.QueryError as error:
        reason = f"the image can't be built: {steps.reason_of(error)}"
        raise steps.CannotRunError(reason, steps.log_of(error)) from None
    text = await project.source.file(project.config.build.dockerfile).contents()
    facts = dockerfile.read(text, project.config.build.target)
    config = project.config.test.application
    port = _known(config.port or started.port(project, facts))
    if facts.healthcheck is None:
        built = built.with_exposed_port(port)  # then it is ready when that is open
    return started.service(built, project, facts, instance, config.env), port


async def _command(project: Project, instance: str) -> dagger.Service:
    config = project.config.test.application
    container, _ = await install.for_tests(project)
    container = started.beside(container, project, instance, config.env).with_exposed_port(_known(config.port))
    return container.as_service(args=list(config.command))


def _known(port: int | None) -> int:
    if port is None:
        raise steps.CannotRunError("nothing says where the application listens: set `test.application.port`")
    return port
