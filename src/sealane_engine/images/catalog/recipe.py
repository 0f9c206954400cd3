"""What a recipe of the catalog is: a Debian suite, packages, files, a script, and the configuration of the image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
"""Raised when the builder itself changes what a recipe gives."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class AddedFile:
    """A file that the recipe brings itself, owned by root."""

    path: str
    text: str = field(repr=False)
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Download:
    """A file from a package registry, checked against its digest. `url` is relative to the registry (`npm`)."""

    registry: str
    url: str
    sha512: str
    target: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """One image of the catalog.

    `names` are the references it stands in for, as a user writes them. `also` are suites that give the packages which
    the suite itself doesn't have. `files` are there before `script` runs;
    `before` runs ahead of the packages (to fix a user's id, say), `script` after them; both are POSIX sh, run by root
    in the sandbox with `-eu`. Configuration members are those of an OCI image.
    """

    name: str
    suite: str
    names: tuple[str, ...]
    also: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    before: str = ""
    files: tuple[AddedFile, ...] = ()
    downloads: tuple[Download, ...] = ()
    script: str = ""
    env: tuple[tuple[str, str], ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ("bash",)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    workdir: str = ""
    user: str = ""
    stop_signal: str = ""

    @property
    def bare(self) -> bool:
        """Whether the image is its suite's minimal base and nothing else."""
        return not (self.packages or self.files or self.script or self.before)

    def key(self, architecture: str) -> str:
        """Names what this recipe builds: equal recipes, equal key."""
        text = json.dumps([VERSION, architecture, asdict(self)], sort_keys=True, separators=(",", ":"))
        return f"catalog-image:{hashlib.sha256(text.encode()).hexdigest()}"

    def config(self) -> dict[str, Any]:
        """The `config` member of the image configuration."""
        paths = [] if any(name == "PATH" for name, _ in self.env) else [("PATH", DEFAULT_PATH)]
        config: dict[str, Any] = {
            "Env": [f"{name}={value}" for name, value in (*paths, *self.env)],
        }
        optional: Mapping[str, Any] = {
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "ExposedPorts": {port: {} for port in self.ports},
            "Volumes": {volume: {} for volume in self.volumes},
            "WorkingDir": self.workdir,
            "User": self.user,
            "StopSignal": self.stop_signal,
        }
        return config | {name: value for name, value in optional.items() if value}
