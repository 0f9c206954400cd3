"""The sample says the same in every place: its compose file, its pins and the test stage."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import Requirement

from sealane import services
from sealane.config.read import parse
from sealane.config.stages import PerformanceConfig
from sealane.services import postgres, redis
from sealane.stages import tools

SAMPLE = Path(__file__).parent.parent.parent.parent / "examples/sutazai"
CONFIG = parse((SAMPLE / "pyproject.toml").read_text())


def compose() -> dict[str, dict[str, str]]:
    """Each service of docker-compose.test.yml: its settings by key, a nested one as `healthcheck.interval`."""
    found: dict[str, dict[str, str]] = {}
    path: list[str] = []
    for line in (SAMPLE / "docker-compose.test.yml").read_text().splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key, _, value = text.partition(":")
        path = [*path[: (len(line) - len(line.lstrip())) // 2], key]
        if len(path) == 2:
            found[key] = {}
        elif value.strip():
            found[path[1]][".".join(path[2:])] = value.strip()
    return found


def test_the_compose_file_names_the_services_of_the_test_stage():
    assert tuple(compose()) == services.names(CONFIG.services)
    assert CONFIG.services.postgres is not None
    assert CONFIG.services.redis is not None
    for name, settings, port in (
        ("postgres", CONFIG.services.postgres, postgres.PORT),
        ("redis", CONFIG.services.redis, redis.PORT),
    ):
        said = compose()[name]
        assert (name, said["image"], said["ports"]) == (settings.alias, settings.image, f'["{port}:{port}"]')
        health = [said[f"healthcheck.{key}"] for key in ("interval", "timeout", "retries")]
        assert health == ["10s", "5s", "5"]
    said = compose()["postgres"]
    database = CONFIG.services.postgres
    assert said["environment.POSTGRES_PASSWORD"] == database.password
    assert said["environment.POSTGRES_DB"] == database.database


def test_what_is_typed_by_hand_is_what_the_stage_runs():
    pinned = (SAMPLE / "tests/performance/requirements.txt").read_text().splitlines()
    assert tools.requirement("locust") in pinned
    assert CONFIG.test.e2e_args == ("--browser=chrome", "--headless")
    load = CONFIG.test.performance
    assert (load.users, load.spawn_rate, load.run_time) == (100, 10, "5m")


def pins(name: str) -> dict[str, str]:
    """Package → version, as Python 3.11 on Linux reads a requirements file."""
    lines = [line for line in (SAMPLE / name).read_text().splitlines() if line and line[0] not in "#-"]
    where = {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux"}
    wanted = [r for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate(where)]
    return {requirement.name: str(requirement.specifier) for requirement in wanted}


def test_what_the_tests_need_can_be_installed_together():
    first, second = pins("requirements.txt"), pins("requirements-test.txt")
    third = pins("tests/performance/requirements.txt")
    together = {**first, **second, **third}
    for each in (first, second, third):
        assert {name: together[name] for name in each} == each


def test_the_guides_load_is_the_default():
    load = PerformanceConfig()
    assert (load.users, load.spawn_rate, load.run_time) == (100, 10, "5m")
