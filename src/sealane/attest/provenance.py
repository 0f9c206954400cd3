"""How an image came to be, as SLSA v1 provenance: from what, by which steps, with the digest of everything that went in."""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagger
from dagger import dag

from sealane import __version__
from sealane.attest import ingredients
from sealane.errors import SealaneError
from sealane.stages import tools

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sealane.stages.project import Project

BUILD_TYPE = "urn:sealane:build:dockerfile:v1"
BUILDER = "urn:sealane:builder"


@dataclass(frozen=True, slots=True)
class Material:
    """Something that went into an image: where it is from and its digests by algorithm."""

    uri: str
    digest: Mapping[str, str]
    name: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"uri": self.uri, "digest": dict(self.digest)}
        found |= {"name": self.name} if self.name else {}
        return found | ({"annotations": dict(self.annotations)} if self.annotations else {})


@dataclass(frozen=True, slots=True)
class Built:
    """What was built: the instructions of the Dockerfile that it took, and what went in."""

    steps: tuple[str, ...]
    materials: tuple[Material, ...]


def predicate(built: Built, project: Project, platforms: Sequence[str]) -> dict[str, Any]:
    """The predicate of `https://slsa.dev/provenance/v1`. The times are the commit's: a build's result doesn't tell when."""
    build, context = project.config.build, project.context
    parameters = {
        "source": {"repository": context.repository, "ref": context.branch or context.tag, "commit": context.commit},
        "dockerfile": build.dockerfile,
        "target": build.target,
        "args": dict(build.args),
        "platforms": list(platforms),
    }
    metadata: dict[str, Any] = {"invocationId": context.run_url} if context.run_url else {}
    if context.committed:
        when = datetime.fromtimestamp(context.committed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata |= {"startedOn": when, "finishedOn": when}
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": parameters,
            "internalParameters": {"event": context.event.value, "steps": list(built.steps)},
            "resolvedDependencies": [material.as_json() for material in built.materials],
        },
        "runDetails": {
            "builder": {
                "id": project.config.publish.builder or f"{BUILDER}:{context.vendor}",
                "version": {"sealane": __version__},
            },
            "metadata": metadata,
        },
    }


async def of(project: Project, platforms: Sequence[str]) -> Built:
    """What the project's image is built from, each with its digest."""
    build = project.config.build
    text = await project.source.file(build.dockerfile).contents()
    planned = ingredients.read(text, build.target, build.args)
    materials = [await _source(project), _dockerfile(build.dockerfile, text)]
    for ref in planned.images:
        materials += [await _image(ref, platform) for platform in platforms or ("",)]
    materials += [await _download(url, pinned) for url, pinned in planned.downloads]
    return Built(planned.steps, tuple(materials))


async def _source(project: Project) -> Material:
    context = project.context
    digest = {"sealaneDirectory": (await project.source.digest()).partition(":")[2]}
    if context.commit:
        digest["gitCommit"] = context.commit
    where = f"git+{context.repository}@{context.commit}" if context.repository and context.commit else "file:."
    return Material(where, digest, "source")


def _dockerfile(path: str, text: str) -> Material:
    return Material(f"file:{path}", {"sha256": hashlib.sha256(text.encode()).hexdigest()}, posixpath.basename(path))


async def _image(ref: str, platform: str) -> Material:
    container = dag.container(platform=dagger.Platform(platform)) if platform else dag.container()
    resolved = await container.from_(ref).image_ref()
    name, _, digest = resolved.partition("@")
    annotations = {"platform": platform} if platform else {}
    return Material(f"docker-image://{name}", _digest(digest, ref), ref, annotations)


async def _download(url: str, pinned: str) -> Material:
    return Material(url, _digest(pinned, url) if pinned else {"sha256": await _sha256(dag.http(url))})


def _digest(text: str, what: str) -> dict[str, str]:
    """`sha256:…` as a digest set. Raises SealaneError (`no-digest`): a material without one proves nothing."""
    algorithm, found, value = text.partition(":")
    if not found or not value:
        raise SealaneError(f"{what} has no digest ({text!r})", reason="no-digest", hint="Pin it in the Dockerfile.")
    return {algorithm: value}


async def _sha256(file: dagger.File) -> str:
    """What `sha256sum` says: `File.digest` is the engine's own, even without metadata."""
    step = dag.container().from_(tools.image("debian")).with_mounted_file("/f", file).with_exec(["sha256sum", "/f"])
    return (await step.stdout()).partition(" ")[0]
