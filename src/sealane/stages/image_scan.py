"""The stage image-scan: the image that was built, looked at by the scanners of `scan.image-scanners`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagger

from sealane.stages import build, scan, steps
from sealane.stages.result import StageResult, not_run
from sealane.stages.scanners import snyk, trivy
from sealane.stages.scanners.scanned import Scanned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealane.stages.project import Project

NAME = "image-scan"


async def nothing_to_do(project: Project) -> str:
    if not project.config.scan.image_scanners:
        return "scan.image-scanners names none"
    nothing = await build.nothing_to_do(project)
    return f"no image: {nothing}" if nothing else ""


async def run(
    project: Project,
    image: dagger.Container | None = None,
    *,
    scanners: Sequence[str] | None = None,
    token: dagger.Secret | None = None,
) -> StageResult:
    """Scan `image`, or the project's own, built here. `token` is Snyk's."""
    try:
        archive = build.tarball(await (image or await build.image(project)).sync())
    except dagger.QueryError as error:
        return not_run(NAME, f"no image: {steps.reason_of(error)}", broken=True)
    names = project.config.scan.image_scanners if scanners is None else scanners
    done = await steps.concurrently(*((lambda n=name: _one(n, project, archive, token)) for name in names))
    return scan.result_of(NAME, done, project)


async def _one(name: str, project: Project, archive: dagger.File, token: dagger.Secret | None) -> Scanned:
    if name == trivy.NAME:
        return await scan.guarded(name, trivy.image(project, archive))
    return await scan.guarded(name, snyk.image(project, archive, token))
