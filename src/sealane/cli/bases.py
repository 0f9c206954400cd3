"""The base images that a project's pipeline uses, found in its configuration, its Dockerfile and its module."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealane.cli import own
from sealane.errors import ConfigError
from sealane.stages import tools
from sealane_engine.api.query import default_platform
from sealane_engine.dockerfile.build import Options, build
from sealane_engine.dockerfile.plan import find_target, plan
from sealane_engine.modules.config import read_project
from sealane_engine.oci import reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sealane.config import Config
    from sealane_engine.dockerfile.builder import CopyStep, RunStep

Base = tuple[str, str]
"""A reference as a user writes it, and a platform."""


def used(project: Path, config: Config) -> set[Base]:
    """What the pipeline of a project asks for. References with a digest are pinned already, and not among them.

    Raises EngineError for a Dockerfile that can't be read, ConfigError for a module that can't.
    """
    own_platform = default_platform()
    found = named([*_of_configuration(project, config), _of_module()], [own_platform])
    file = project / config.build.dockerfile
    if file.is_file():
        for platform in config.build.platforms or (own_platform,):
            found |= _of_dockerfile(file.read_text(encoding="utf-8", errors="replace"), config, platform)
    return found


def named(refs: Iterable[str], platforms: Iterable[str]) -> set[Base]:
    """References on platforms, each as a user writes it. Raises InvalidInput (`bad-reference`)."""
    parsed = [reference.parse(ref) for ref in refs if ref]
    return {(each.familiar, platform) for each in parsed if not each.digest for platform in platforms}


def _of_configuration(project: Path, config: Config) -> Iterator[str]:
    yield tools.python_image()
    yield config.python_image
    matrix, services, scan = config.test.matrix, config.services, config.scan
    if matrix is not None:
        yield from (f"python:{version}-slim" for version in matrix.python)
        yield from (image for images in matrix.images.values() for image in images)
    folders = (config.frontend.path,) if config.frontend.path else (".", "frontend")
    if config.frontend.enabled and any((project / folder / "package.json").is_file() for folder in folders):
        yield config.node_image
    yield from (s.image for s in (services.postgres, services.redis, *services.other.values()) if s is not None)
    scanners = frozenset[str]((*scan.scanners, *scan.image_scanners)) - scan.reports.keys()
    images = {"gitleaks": "debian", "trivy": "trivy", "trufflehog": "trufflehog", "snyk": "snyk"}
    yield from (tools.image(image) for scanner, image in images.items() if scanner in scanners)
    yield config.publish.cosign


def _of_module() -> str:
    """What the functions of the module that `call` would call run in."""
    here = Path.cwd()
    folder = next((f for f in (here, *here.parents) if (f / own.FILE).is_file()), None) or own.module()
    try:
        table = json.loads((folder / own.FILE).read_text())
        source = folder / str(table.get("source") or ".")
        names = ("pyproject.toml", ".python-version")
        files = {name: (source / name).read_bytes() for name in names if (source / name).is_file()}
        sdk = table.get("sdk") or {}
        python = (sdk.get("source") if isinstance(sdk, dict) else sdk) == "python"
        return read_project(files, str(table.get("name", ""))).image if python else ""
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{folder / own.FILE} can't be read: {error}", reason="bad-module-config") from None


def _of_dockerfile(text: str, config: Config, platform: str) -> set[Base]:
    recorder = _Recorder()
    options = Options(config.build.args, default_platform(), platform)
    planned = plan(text, config.build.args, build_platform=default_platform(), target_platform=platform)
    asyncio.run(build(recorder, planned, find_target(planned, config.build.target), options))
    return {base for ref, wanted in recorder.asked for base in named([ref], [wanted])}


@dataclass(frozen=True, slots=True)
class _Recorder:
    """A builder that makes nothing and notes which images are asked for (see `dockerfile.builder.Builder`)."""

    asked: set[Base] = field(default_factory=set)

    async def scratch(self, platform: str) -> None: ...

    async def image(self, ref: str, platform: str) -> tuple[None, Mapping[str, Any]]:
        self.asked.add((ref, platform))
        return None, {}

    async def run(self, state: None, step: RunStep[None], platform: str) -> None: ...

    async def copy(self, state: None, step: CopyStep[None]) -> None: ...

    async def make_directory(self, state: None, path: str, owner: str) -> None: ...
