"""The services that a project starts for itself, read from the files that start them: compose files and workflows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FILE = re.compile(r"^(?:docker-compose|compose)[\w.-]*\.ya?ml$|^\.github/workflows/[^/]+\.ya?ml$")
_IMAGE = re.compile(
    r"^[ \t]*(?:-[ \t]*)?image:[ \t]*[\"']?((?:[\w.-]+/)*([\w.-]+)(?::[\w.-]+)?)[\"']?[ \t]*(?:#.*)?$", re.MULTILINE
)
_DATABASE = re.compile(r"\bPOSTGRES_DB[\"']?\s*[:=]\s*[\"']?([A-Za-z_][\w-]*)[\"']?\s*$", re.MULTILINE)
_KINDS = {
    "postgres": "postgres",
    "postgis": "postgres",
    "timescaledb": "postgres",
    "pgvector": "postgres",
    "redis": "redis",
}
_OTHERS = frozenset(
    {
        "mysql",
        "mariadb",
        "mongo",
        "rabbitmq",
        "memcached",
        "elasticsearch",
        "opensearch",
        "kafka",
        "minio",
        "nats",
        "valkey",
    }
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A service: its `kind` (postgres, redis, or the name of another), the image, the file that says so.

    `settings` are keys of its configuration with their values.
    """

    kind: str
    image: str
    file: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether Sealane knows how to start it and where it then is."""
        return self.kind in _KINDS.values()


def files(names: Iterable[str]) -> list[str]:
    """Those that may start services; first what is said to be for tests."""
    return sorted((n for n in names if _FILE.match(n)), key=lambda name: ("test" not in name, name))


def read(texts: Mapping[str, str]) -> tuple[Wanted, ...]:
    """The first of each kind that the files start. An image whose name is put together at run time is not seen."""
    found: dict[str, Wanted] = {}
    for file, text in texts.items():
        for image, name in _IMAGE.findall(text):
            kind = _KINDS.get(name, name)
            if kind in found or (name not in _KINDS and name not in _OTHERS):
                continue
            settings = {"image": image}
            if kind == "postgres" and (database := _DATABASE.search(text)):
                settings["database"] = database[1]
            found[kind] = Wanted(kind, image, file, settings)
    return tuple(found.values())
