"""The project's image as a service beside its databases, asked often whether it is healthy while it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane import services

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagger

    from sealane.stages import dockerfile
    from sealane.stages.project import Project


def port(project: Project, facts: dockerfile.Facts) -> int | None:
    """Where the image listens, as the configuration, its health check or its EXPOSE says."""
    url = facts.healthcheck.url if facts.healthcheck else None
    return project.config.build.port or (url[0] if url else None) or next(iter(facts.ports), None)


def service(
    built: dagger.Container,
    project: Project,
    facts: dockerfile.Facts,
    instance: str,
    env: Mapping[str, str] | None = None,
) -> dagger.Service:
    checked = _checked(built, facts.healthcheck, project.config.build.timeout)
    return beside(checked, project, instance, env).as_service(use_entrypoint=True)


def _checked(built: dagger.Container, check: dockerfile.Healthcheck | None, limit: float) -> dagger.Container:
    """The image's own health check, asked each second while it starts: nobody wants to wait 30 s for the second try.

    Failures count from when Docker's first check would have come. So a check that never passes ends in bounded time.
    """
    if check is None:
        return built
    grace = min(max(check.start_period, check.interval), limit)
    return built.with_docker_healthcheck(
        list(check.command),
        shell=check.shell,
        interval=f"{check.interval:g}s",
        timeout=f"{check.timeout:g}s",
        start_period=f"{grace:g}s",
        start_interval="1s",
        retries=check.retries,
    )


def beside(
    container: dagger.Container, project: Project, instance: str, env: Mapping[str, str] | None = None
) -> dagger.Container:
    """With the project's services and their addresses, and what the configuration sets for the image."""
    container = services.bind(container, project.config.services, instance)
    variables = services.urls(project.config.services) | project.config.build.env | dict(env or {})
    for name, value in variables.items():
        container = container.with_env_variable(name, value)
    return container
