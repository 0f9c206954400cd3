"""Snyk's scan of the image, which needs a token: the one scanner that is given a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagger
from dagger import dag

from sealane.findings.scanners import READERS
from sealane.stages import steps, tools
from sealane.stages.scanners import scanned
from sealane.stages.scanners.scanned import Scanned, Tool

if TYPE_CHECKING:
    from sealane.stages.project import Project

NAME = "snyk"
REPORT = "snyk-report.json"
_FOUND = 1
# The image as the guide's workflow names it.
_ARCHIVE = "/scan/sutazai-test.tar"


async def image(project: Project, archive: dagger.File, token: dagger.Secret | None = None) -> Scanned:
    """`snyk container test` over the image's archive, for what is of high severity."""
    if token is None:
        return Scanned(NAME, wrong=f"{NAME} needs a token: `sealane call security --snyk-token env:SNYK_TOKEN`")
    seconds = project.config.scan.timeout
    base = await scanned.ready(
        NAME,
        dag.container().from_(tools.image(NAME)).with_entrypoint([]).with_new_file(f"{steps.REPORTS}/.keep", ""),
        seconds,
    )
    if isinstance(base, Scanned):
        return base
    output = f"{steps.REPORTS}/{REPORT}"
    command = ["snyk", "container", "test", f"oci-archive:{_ARCHIVE}", "--severity-threshold=high"]
    ready = base.with_mounted_file(_ARCHIVE, archive).with_secret_variable("SNYK_TOKEN", token)
    tool = Tool(NAME, READERS[NAME], REPORT, _FOUND)
    return await scanned.run(tool, ready, [*command, f"--json-file-output={output}"], output, seconds)
