"""The scanner licences: what the installed packages of Python and Node say of theirs, against `scan.licences`."""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import dagger

from sealane.findings import licences
from sealane.stages import install, steps
from sealane.stages.scanners import dependencies, scanned
from sealane.stages.scanners.scanned import Scanned, Tool

if TYPE_CHECKING:
    from sealane.stages.project import Project

NAME = licences.TOOL
REPORT = "licence-report.json"
_RAW = f"{steps.REPORTS}/licences.json"
_MODULES = "/scan/node_modules"
_NAMED = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[|[<>=!~;@]|$|\s)")


async def run(project: Project) -> Scanned:
    """Installs what the tests get installed, so that indirect packages count too. Raises steps.CannotRunError."""
    if not project.python and project.frontend is None:
        return Scanned(NAME, idle="neither Python nor Node")
    base = (await install.for_tests(project))[0] if project.python else steps.python(project.config)
    command = ["python", "/sealane/licences.py", _RAW]
    if project.frontend is not None:
        try:
            base = base.with_mounted_directory(_MODULES, await _modules(project))
        except dagger.QueryError as error:
            return Scanned(NAME, wrong=f"{NAME}: the frontend's packages can't be had: {steps.reason_of(error)}")
        command.append(_MODULES)
    ready = base.with_new_file("/sealane/licences.py", steps.script("licences.py"))
    places, policy = await _places(project), project.config.scan.licences
    tool = Tool(NAME, lambda text: licences.read(text, policy, places), REPORT)
    done = await scanned.run(tool, ready, command, _RAW, project.config.scan.timeout)
    if done.report is None or not done.read:
        return done
    text = licences.write(await done.report.file(REPORT).contents())
    figures = {"licensed packages": len(json.loads(text)["packages"])}
    return replace(done, report=done.report.with_new_file(REPORT, text)).with_figures(figures)


async def _modules(project: Project) -> dagger.Directory:
    node = (await steps.node(project)).with_exec(["mkdir", "-p", "node_modules"])  # npm makes none for no packages
    return await node.directory("/frontend/node_modules").sync()


async def _places(project: Project) -> dict[tuple[str, str], tuple[str, int]]:
    """Where each package is asked for first: its line in a requirement or lock file."""
    found: dict[tuple[str, str], tuple[str, int]] = {}
    for file in dependencies.files(project):
        text = await project.source.file(file).contents()
        lock = posixpath.basename(file) == "package-lock.json"
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(r'^\s*"(?:.*/)?node_modules/(.+)": \{', line) if lock else _NAMED.match(line)
            if match:
                key = ("npm" if lock else "PyPI", match[1].lower())
                found.setdefault(key, (file, number))
    return found
