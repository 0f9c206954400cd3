"""Trivy, from its image: over the files of the project, and over the image that was built."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import dagger
from dagger import dag

from sealane.findings.scanners import READERS
from sealane.stages import steps, tools
from sealane.stages.scanners import scanned
from sealane.stages.scanners.scanned import Scanned, Tool

if TYPE_CHECKING:
    from sealane.config.stages import ScanConfig
    from sealane.stages.project import Project

NAME = "trivy"
_CACHE = "/root/.cache/trivy"
_LAYOUT = "/scan/image"


async def files(project: Project) -> Scanned:
    """Vulnerable packages in lock files, secrets, and misconfiguration."""
    words = ["fs", "--scanners", "vuln,misconfig,secret", "."]
    return await _run(
        project.config.scan, "trivy-results", words, lambda c: c.with_mounted_directory(steps.SOURCE, project.source)
    )


async def image(project: Project, archive: dagger.File) -> Scanned:
    """Vulnerable packages of the system and of languages, and secrets, in an image's OCI layout."""
    unpack = ["tar", "-xf", "/scan/image.tar", "-C", _LAYOUT]
    layout = (
        steps.python()
        .with_directory(_LAYOUT, dag.directory())
        .with_mounted_file("/scan/image.tar", archive)
        .with_exec(unpack)
        .directory(_LAYOUT)
    )
    words = ["image", "--scanners", "vuln,secret", "--input", _LAYOUT]
    return await _run(
        project.config.scan, "trivy-image-results", words, lambda c: c.with_mounted_directory(_LAYOUT, layout)
    )


async def _run(config: ScanConfig, name: str, words: list[str], mounted: scanned.Mounting) -> Scanned:
    """Read from JSON, which says whether Trivy knew anything to look at; handed on as SARIF too, which does not."""
    base = dag.container().from_(tools.image(NAME)).with_entrypoint([]).with_workdir(steps.SOURCE)
    base = base.with_env_variable("TRIVY_DISABLE_TELEMETRY", "true").with_env_variable("TRIVY_NO_PROGRESS", "true")
    base = base.with_env_variable("TRIVY_SKIP_VERSION_CHECK", "true").with_new_file(f"{steps.REPORTS}/.keep", "")
    base = base.with_mounted_cache(
        _CACHE, dag.cache_volume("sealane-trivy"), sharing=dagger.CacheSharingMode.LOCKED
    )  # its database may be open once
    had = await scanned.ready(NAME, base, config.timeout)
    if isinstance(had, Scanned):
        return had
    output, table = f"{steps.REPORTS}/{name}.json", f"{steps.REPORTS}/{name}.sarif"
    command = ["trivy", *words[:1], "--format", "json", "--output", output, "--timeout", f"{config.timeout}s"]
    ready = mounted(scanned.fresh(had, config))
    done = await scanned.run(
        Tool(NAME, READERS[NAME], f"{name}.json"), ready, [*command, *words[1:]], output, config.timeout
    )
    if done.report is None or not done.read:
        return done
    convert = ["trivy", "convert", "--format", "sarif", "--output", table, f"/scan/{name}.json"]
    converted = await scanned.run(
        Tool(NAME, READERS[NAME], f"{name}.sarif"),
        had.with_mounted_file(f"/scan/{name}.json", done.report.file(f"{name}.json")),
        convert,
        table,
        config.timeout,
    )
    if converted.wrong or converted.report is None:
        return replace(done, wrong=converted.wrong or f"{NAME} wrote no SARIF")
    return replace(done, report=done.report.with_file(f"{name}.sarif", converted.report.file(f"{name}.sarif")))
