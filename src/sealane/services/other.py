"""Any other service: an image with its ports, ready when its health command says so, or when its ports are open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagger import dag

from sealane.services.health import checked

if TYPE_CHECKING:
    import dagger

    from sealane.config.stages import OtherServiceConfig


def service(config: OtherServiceConfig, instance: str) -> dagger.Service:
    container = dag.container().from_(config.image).with_env_variable("SEALANE_INSTANCE", instance)
    for name, value in config.env.items():
        container = container.with_env_variable(name, value)
    for port in config.ports:
        container = container.with_exposed_port(port)
    if config.health:
        container = checked(container, *config.health)
    return container.as_service(args=list(config.args) or None, use_entrypoint=True)
