"""Postgres as a service, ready when it answers over TCP: while it sets itself up it listens on its socket only."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from dagger import dag

from sealane.services.health import checked

if TYPE_CHECKING:
    import dagger

    from sealane.config.stages import PostgresConfig

PORT = 5432


def service(config: PostgresConfig, instance: str) -> dagger.Service:
    container = (
        dag.container()
        .from_(config.image)
        .with_env_variable("POSTGRES_USER", config.user)
        .with_env_variable("POSTGRES_PASSWORD", config.password)
        .with_env_variable("POSTGRES_DB", config.database)
        .with_env_variable("SEALANE_INSTANCE", instance)
        .with_exposed_port(PORT)
    )
    ready = ("pg_isready", "-h", "127.0.0.1", "-p", str(PORT), "-U", config.user, "-d", config.database)
    return checked(container, *ready).as_service(use_entrypoint=True)


def url(config: PostgresConfig) -> str:
    who = f"{quote(config.user, safe='')}:{quote(config.password, safe='')}"
    return f"{config.scheme}://{who}@{config.alias}:{PORT}/{quote(config.database, safe='')}"
