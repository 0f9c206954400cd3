"""CodeQL for Python and JavaScript, from the bundle of its command line and queries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import dagger
from dagger import dag

from sealane.findings.scanners import READERS
from sealane.stages import steps, tools
from sealane.stages.scanners import scanned
from sealane.stages.scanners.scanned import Scanned, Tool

if TYPE_CHECKING:
    from sealane.stages.project import Project

NAME = "codeql"
_SCRIPTS = (".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".vue")
_BUNDLE = "/scan/codeql.tar.gz"
_HOME = "/opt/codeql"


def languages(project: Project) -> tuple[str, ...]:
    found = ("python",) if project.python else ()
    return (*found, "javascript") if any(path.endswith(_SCRIPTS) for path in project.files) else found


async def run(project: Project) -> Scanned:
    """A database and the queries for each language, in one report of all."""
    named, seconds = languages(project), project.config.scan.timeout
    if not named:
        return Scanned(NAME, idle="neither Python nor JavaScript")
    try:
        with anyio.fail_after(seconds):
            bundle = await dag.http(tools.download(NAME)).sync()
    except TimeoutError:
        return Scanned(NAME, wrong=f"{NAME}'s bundle was not there within {seconds} s")
    except dagger.QueryError as error:
        return Scanned(NAME, wrong=f"{NAME}'s bundle can't be had: {steps.reason_of(error)}")
    unpacked = (
        steps.python().with_mounted_file(_BUNDLE, bundle).with_exec(["tar", "-xzf", _BUNDLE, "-C", "/opt"])
    ).without_mount(_BUNDLE)
    base = await scanned.ready(NAME, unpacked, seconds)
    if isinstance(base, Scanned):
        return base
    ready = scanned.fresh(base, project.config.scan).with_mounted_directory(steps.SOURCE, project.source)
    return _together([await _language(ready, language, seconds) for language in named])


async def _language(base: dagger.Container, language: str, seconds: int) -> Scanned:
    database, output = f"/tmp/{language}", f"{steps.REPORTS}/codeql-{language}.sarif"  # noqa: S108 - in the container
    create = [
        f"{_HOME}/codeql",
        "database",
        "create",
        database,
        f"--language={language}",
        f"--source-root={steps.SOURCE}",
    ]
    made = await steps.attempt(base, ["timeout", "-k", "10", str(seconds), *create], keep=False)
    if made.exit_code:
        report = scanned.log(f"{NAME}-{language}", made.output)
        return Scanned(NAME, report=report, wrong=scanned.ended(f"{NAME} ({language})", made, seconds))
    suite = f"codeql/{language}-queries:codeql-suites/{language}-security-and-quality.qls"
    analyze = [f"{_HOME}/codeql", "database", "analyze", database, suite, "--format=sarif-latest", f"--output={output}"]
    tool = Tool(NAME, READERS[NAME], f"codeql-{language}.sarif")
    return await scanned.run(tool, made.container, analyze, output, seconds)


def _together(parts: list[Scanned]) -> Scanned:
    whole = parts[0]
    for part in parts[1:]:
        report = whole.report.with_directory("/", part.report) if whole.report and part.report else whole.report
        wrong = "; ".join(filter(None, (whole.wrong, part.wrong)))
        whole = replace(whole, findings=whole.findings + part.findings, report=report or part.report, wrong=wrong)
    return whole
