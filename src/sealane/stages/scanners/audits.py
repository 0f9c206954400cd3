"""Audits of dependencies that ask a service: pip-audit, safety and npm audit."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from sealane.findings.scanners import READERS
from sealane.stages import steps
from sealane.stages.scanners import dependencies, scanned
from sealane.stages.scanners.scanned import Scanned, Tool

if TYPE_CHECKING:
    import dagger

    from sealane.stages.project import Project

PIP_AUDIT, SAFETY, NPM_AUDIT = "pip-audit", "safety", "npm-audit"
_LOCK = "package-lock.json"
_SERVICE = "https://data.safetycli.com/"
# Else these tools trust the authorities that their own packages bring along, and no proxy of this machine.
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


async def pip_audit(project: Project) -> Scanned:
    """Of what the requirement files pin, without installing it."""
    tool = Tool(PIP_AUDIT, READERS[PIP_AUDIT], "pip-audit-report.json", found=1)
    output = f"{steps.REPORTS}/{tool.report}"
    words = ["--format", "json", "--output", output, "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    return await _python(project, tool, [*words, "--timeout", "15"], output)


async def safety(project: Project) -> Scanned:
    """The guide's `safety check`, when its service answers."""
    tool = Tool(SAFETY, READERS[SAFETY], "safety-report.json")
    away = await scanned.reach(SAFETY, (_SERVICE,))
    if away:
        return away
    output = f"{steps.REPORTS}/{tool.report}"
    return await _python(project, tool, ["check", "--continue-on-error", "--save-json", output], output)


async def _python(project: Project, tool: Tool, words: list[str], output: str) -> Scanned:
    names = [name for name in dependencies.files(project) if posixpath.basename(name) != _LOCK]
    if not names:
        return Scanned(tool.name, idle="no requirement file")
    seconds = project.config.scan.timeout
    base = await scanned.ready(tool.name, steps.with_tools(steps.python(), tool.name), seconds)
    if isinstance(base, Scanned):
        return base
    ready = scanned.fresh(base, project.config.scan).with_env_variable("REQUESTS_CA_BUNDLE", _AUTHORITIES)
    ready = ready.with_mounted_directory(steps.SOURCE, dependencies.pins(project, names))
    command = [f"{steps.TOOLS}/bin/{tool.name}", *words]
    return await scanned.run(tool, ready, [*command, *(w for n in names for w in ("-r", n))], output, seconds)


async def npm_audit(project: Project) -> Scanned:
    """Of each lock file, without installing anything."""
    locks = [name for name in dependencies.files(project) if posixpath.basename(name) == _LOCK]
    if not locks:
        return Scanned(NPM_AUDIT, idle=f"no {_LOCK}")
    base = await scanned.ready(NPM_AUDIT, steps.node_base(project.config), project.config.scan.timeout)
    if isinstance(base, Scanned):
        return base
    done = await steps.concurrently(*((lambda n=name: _npm(base, project, n)) for name in locks))
    first, *rest = done
    for one in rest:
        report = first.report.with_directory("/", one.report) if first.report and one.report else first.report
        wrong = "; ".join(dict.fromkeys(filter(None, (first.wrong, one.wrong))))
        first = replace(first, findings=first.findings + one.findings, report=report or one.report, wrong=wrong)
    return first


async def _npm(base: dagger.Container, project: Project, lock: str) -> Scanned:
    """With `--audit-level=none`, which ends with 0 whatever is found; its findings get the lock file as their place."""
    folder = posixpath.dirname(lock)
    name = f"npm-audit-report{'-' + folder.replace('/', '-') if folder else ''}.json"
    output, seconds = f"{steps.REPORTS}/{name}", project.config.scan.timeout
    source = project.source.directory(folder or ".")
    ready = scanned.fresh(base, project.config.scan)
    for file in ("package.json", _LOCK, ".npmrc"):
        if project.has(posixpath.join(folder, file)):
            ready = ready.with_file(f"/scan/{file}", source.file(file))
    command = ["npm", "audit", "--json", "--package-lock-only", "--audit-level=none"]
    tool = Tool(NPM_AUDIT, READERS[NPM_AUDIT], name)
    done = await scanned.run(tool, ready.with_workdir("/scan"), command, output, seconds, stdout=True)
    return replace(done, findings=tuple(replace(finding, file=lock) for finding in done.findings))
