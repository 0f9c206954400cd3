"""What runs beside the tests and the image: each a service with a health check that means ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane.services import other, postgres, redis

if TYPE_CHECKING:
    import dagger

    from sealane.config.stages import ServicesConfig

__all__ = ["bind", "names", "urls"]


def names(config: ServicesConfig) -> tuple[str, ...]:
    """The aliases of the configured services."""
    return (*(s.alias for s in (config.postgres, config.redis) if s is not None), *config.other)


def urls(config: ServicesConfig) -> dict[str, str]:
    """Environment variable → where that service is, by its alias."""
    found = {}
    if config.postgres is not None:
        found[config.postgres.url_variable] = postgres.url(config.postgres)
    if config.redis is not None:
        found[config.redis.url_variable] = redis.url(config.redis)
    for alias, each in config.other.items():
        if each.url_variable is not None:
            found[each.url_variable] = each.url.replace("{alias}", alias)
    return found


def bind(container: dagger.Container, config: ServicesConfig, instance: str) -> dagger.Container:
    """The container with the configured services beside it.

    Each `instance` gets services of its own: engines share one between all who ask for the same.
    """
    if config.postgres is not None:
        container = container.with_service_binding(config.postgres.alias, postgres.service(config.postgres, instance))
    if config.redis is not None:
        container = container.with_service_binding(config.redis.alias, redis.service(config.redis, instance))
    for alias, each in config.other.items():
        container = container.with_service_binding(alias, other.service(each, instance))
    return container
