"""Redis as a service, ready when it answers a ping over TCP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagger import dag

from sealane.services.health import checked

if TYPE_CHECKING:
    import dagger

    from sealane.config.stages import RedisConfig

PORT = 6379


def service(config: RedisConfig, instance: str) -> dagger.Service:
    container = (
        dag.container().from_(config.image).with_env_variable("SEALANE_INSTANCE", instance).with_exposed_port(PORT)
    )
    ready = ("redis-cli", "-h", "127.0.0.1", "-p", str(PORT), "ping")
    return checked(container, *ready).as_service(use_entrypoint=True)


def url(config: RedisConfig) -> str:
    return f"redis://{config.alias}:{PORT}/{config.database}"
