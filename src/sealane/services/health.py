"""How often a service is asked whether it is ready.

Every 10 s, at most 5 s each, 5 failures in a row are too many. While it starts it is asked each second and failures do
not count, so that a database that is up after one second doesn't cost ten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagger


def checked(container: dagger.Container, *command: str) -> dagger.Container:
    return container.with_docker_healthcheck(
        list(command), interval="10s", timeout="5s", retries=5, start_period="60s", start_interval="1s"
    )
