"""What can be asked of the image that `build` makes; each function looks into the source and answers one question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagger import dag

from sealane.attest import metadata, packed
from sealane.attest.attach import CYCLONEDX, SPDX
from sealane.attest.sign import Key
from sealane.errors import ConfigError, PipelineFailed, StageFailed
from sealane.publish import Access, publish_image
from sealane.report import runs
from sealane.stages import build, project
from sealane.stages import sbom as lists

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dagger


async def digest(source: dagger.Directory, context: str) -> str:
    return (await packed.read(await build.images(await _project(source, context)))).top.digest


async def platforms(source: dagger.Directory, context: str) -> list[str]:
    return [str(await each.platform()) for each in await build.images(await _project(source, context))]


async def tags(source: dagger.Directory, context: str) -> list[str]:
    return list(metadata.tags((await project.read(source, context)).context))


async def tarball(source: dagger.Directory, context: str, platform: str) -> dagger.File:
    """All platforms' images, or that of one. Raises ConfigError (`no-platform`)."""
    built = await build.images(await _project(source, context))
    return packed.tarball([await _of(built, platform)] if platform else built)


async def sbom(source: dagger.Directory, context: str, *, cyclonedx: bool, platform: str) -> dagger.File:
    """The list of one platform's image, of the first when none is named. Raises ConfigError (`no-platform`)."""
    found = await _project(source, context)
    built = await build.images(found)
    chosen = await _of(built, platform) if platform else built[0]
    top = (await packed.read([chosen])).top
    documents = await lists.documents(found, chosen, top.digest)
    name, kind = (lists.CYCLONEDX_REPORT, CYCLONEDX) if cyclonedx else (lists.REPORT, SPDX)
    return dag.directory().with_new_file(name, documents[kind].decode()).file(name)


async def test(asked: runs.Asked) -> str:
    """What the started image said. Raises StageFailed with its log."""
    run = await runs.one(build.NAME, asked)
    result = run.results[0]
    if not run.passed or result.image is None:
        raise StageFailed("\n".join(filter(None, (f"the image's test: {result.verdict}", *result.notes))))
    return "\n".join(result.notes)


async def publish(
    asked: runs.Asked,
    *,
    address: str,
    access: Access,
    key: dagger.Secret | None,
    password: dagger.Secret | None,
    credentials: dagger.Secret | None,
) -> str:
    """Answers the address with the digest. Raises PipelineFailed (`gate-failed`) when a gate failed: then nothing was pushed.

    The run that decides is always a whole one: what was not looked at says nothing.
    """
    found = await _project(asked.source, asked.context)
    to = metadata.target(found.config.publish, found.context, address)
    run = await runs.whole(asked)
    if not run.passed:
        raise PipelineFailed(
            runs.summary(run), reason="gate-failed", hint=f"A gate failed: nothing was pushed to {to.repository}."
        )
    done = await publish_image(found, to, access, Key(key, password, found.config.publish.kms, credentials))
    return f"{to.repository}@{done}"


async def _project(source: dagger.Directory, context: str) -> project.Project:
    """The project, which has something to build. Raises ConfigError (`no-dockerfile`)."""
    found = await project.read(source, context)
    nothing = await build.nothing_to_do(found)
    if nothing:
        raise ConfigError(f"there is no image: {nothing}", reason="no-dockerfile", hint="Set `build.dockerfile`.")
    return found


async def _of(built: Sequence[dagger.Container], platform: str) -> dagger.Container:
    by_platform = {str(await each.platform()): each for each in built}
    if platform not in by_platform:
        known = ", ".join(by_platform)
        raise ConfigError(f"the image is not built for {platform}", reason="no-platform", hint=f"It is for {known}.")
    return by_platform[platform]
