"""The scanner dependencies: what requirement and lock files pin, against OSV advisories that the project brings along."""

from __future__ import annotations

import json
import posixpath
from fnmatch import fnmatchcase
from importlib import resources
from typing import TYPE_CHECKING

from dagger import dag

from sealane.errors import ReportUnreadable
from sealane.findings.scanners import dependencies as reader
from sealane.stages import scanned, steps
from sealane.stages.scanned import Scanned

if TYPE_CHECKING:
    import dagger

    from sealane.stages.project import Project

NAME = "dependencies"
_FILES = ("*requirements*.txt", "requirements*.lock", "package-lock.json")
_REPORT = f"{steps.REPORTS}/audit.json"
_ADVISORIES = "/advisories"


def files(project: Project) -> tuple[str, ...]:
    """The requirement and lock files that are audited."""
    return tuple(sorted(path for path in project.files if _is_one(path) and not _left_out(path, project)))


def _is_one(path: str) -> bool:
    name, folder = posixpath.basename(path), posixpath.basename(posixpath.dirname(path))
    return any(fnmatchcase(name, p) for p in _FILES) or (folder == "requirements" and name.endswith(".txt"))


def _left_out(path: str, project: Project) -> bool:
    parts = path.split("/")
    return any(fnmatchcase(path, p) or any(fnmatchcase(part, p) for part in parts) for p in project.config.scan.exclude)


async def run(project: Project) -> Scanned:
    """Never raises for what is missing: without advisories it says *not scanned*."""
    names, folder = files(project), project.config.scan.advisories
    if not names:
        return Scanned(NAME, idle="no requirement or lock file")
    if folder is None:
        return Scanned(NAME, wrong=f"{NAME} need advisories: set scan.advisories to a folder with OSV files")
    if not project.has_folder(folder):
        return Scanned(NAME, wrong=f"{NAME} need advisories: there is no folder {folder} (scan.advisories)")
    try:
        container = await steps.installed(steps.with_tools(steps.python(), "packaging"), "the audit of dependencies")
    except steps.CannotRunError as error:
        return Scanned(NAME, wrong=error.message, report=scanned.log(NAME, error.log))
    ready = _ready(container, project, folder, names)
    done = await steps.attempt(ready, _command(project.config.scan.timeout, names))
    report = scanned.log(NAME, done.output)
    if done.exit_code:
        return Scanned(NAME, wrong=scanned.ended(NAME, done, project.config.scan.timeout), report=report)
    file = done.container.file(_REPORT)
    try:
        text = await scanned.text_of(file, NAME)
        said, told = reader.own(text), json.loads(text)
    except ReportUnreadable as error:
        return Scanned(NAME, wrong=error.message, report=report)
    figures = {"advisories": told["advisories"], "dependencies": told["packages"]}
    return Scanned(NAME, said.findings, report.with_file("dependency-report.json", file), said.missing, figures=figures)


def _ready(container: dagger.Container, project: Project, folder: str, names: tuple[str, ...]) -> dagger.Container:
    """With the audit's own files, the advisories, and of the project what a requirement file may include."""
    for file in resources.files("sealane.stages.scripts.audit").iterdir():
        if file.name.endswith(".py"):
            container = container.with_new_file(f"/sealane/audit/{file.name}", file.read_text())
    included = [*names, "**/*.txt", "**/*.lock"]
    pins = dag.directory().with_directory("/", project.source, include=included)
    return (
        container.with_env_variable("PYTHONPATH", "/sealane")
        .with_env_variable("PYTHONDONTWRITEBYTECODE", "1")
        .with_mounted_directory(steps.SOURCE, pins)
        .with_mounted_directory(_ADVISORIES, project.source.directory(folder))
    )


def _command(seconds: int, names: tuple[str, ...]) -> list[str]:
    limit = ["timeout", "--kill-after=10", str(seconds)]
    return [*limit, f"{steps.TOOLS}/bin/python", "-m", "audit", _ADVISORIES, steps.SOURCE, _REPORT, *names]
