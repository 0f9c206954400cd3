"""The scanner dependencies: what requirement and lock files pin, against OSV advisories that the project brings along."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from typing import TYPE_CHECKING, Any

from dagger import dag

from sealane.findings.scanners import dependencies as reader
from sealane.stages import steps
from sealane.stages.scanners import scanned
from sealane.stages.scanners.scanned import Scanned, Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dagger

    from sealane.stages.project import Project

NAME = "dependencies"
REPORT = "dependency-report.json"
_FILES = ("*requirements*.txt", "requirements*.lock", "package-lock.json")
_REPORT = f"{steps.REPORTS}/audit.json"
_ADVISORIES = "/advisories"


@dataclass(frozen=True, slots=True)
class Audit:
    """What the audit said, and the report that it is written down in; `told` is empty when it did not come to its end."""

    scanned: Scanned
    told: dict[str, Any]


def files(project: Project) -> tuple[str, ...]:
    """The requirement and lock files that are audited."""
    return tuple(sorted(path for path in project.files if _is_one(path) and not left_out(path, project)))


def _is_one(path: str) -> bool:
    name, folder = posixpath.basename(path), posixpath.basename(posixpath.dirname(path))
    return any(fnmatchcase(name, p) for p in _FILES) or (folder == "requirements" and name.endswith(".txt"))


def left_out(path: str, project: Project) -> bool:
    """Whether `scan.exclude` names a path, a folder above it, or a name in it."""
    parts = path.split("/")
    above = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    return any(
        fnmatchcase(each, pattern.rstrip("/")) for pattern in project.config.scan.exclude for each in (*above, *parts)
    )


def pins(project: Project, names: Sequence[str]) -> dagger.Directory:
    """Of the project what its requirement and lock files say, with what a requirement file may include."""
    return dag.directory().with_directory("/", project.source, include=[*names, "**/*.txt", "**/*.lock"])


async def run(project: Project) -> Scanned:
    """Never raises for what is missing: without advisories it says *not scanned*."""
    if not files(project):
        return Scanned(NAME, idle="no requirement or lock file")
    folder, wrong = advisories(project)
    if folder is None:
        return Scanned(NAME, wrong=wrong)
    return (await audit(project, folder)).scanned


def advisories(project: Project) -> tuple[dagger.Directory | None, str]:
    """The folder of OSV files, or why there is none."""
    folder = project.config.scan.advisories
    if folder is None:
        return None, f"{NAME} need advisories: set scan.advisories to a folder with OSV files"
    if not project.has_folder(folder):
        return None, f"{NAME} need advisories: there is no folder {folder} (scan.advisories)"
    return project.source.directory(folder), ""


async def audit(project: Project, folder: dagger.Directory) -> Audit:
    """The audit in its container. Its result without findings or `wrong` is the only one that is clean."""
    names, seconds = files(project), project.config.scan.timeout
    base = await scanned.ready(
        "the audit of dependencies", steps.with_tools(steps.python(), "packaging", "cvss"), seconds
    )
    if isinstance(base, Scanned):
        return Audit(Scanned(NAME, wrong=base.wrong, report=base.report), {})
    command = [f"{steps.TOOLS}/bin/python", "-m", "audit", _ADVISORIES, steps.SOURCE, _REPORT, *names]
    done = await scanned.run(
        Tool(NAME, reader.own, REPORT), _ready(base, project, folder, names), command, _REPORT, seconds
    )
    if done.report is None or not done.read:
        return Audit(done, {})
    told = json.loads(await done.report.file(REPORT).contents())
    figures = {"advisories": told["advisories"], "dependencies": told["packages"]}
    return Audit(done.with_figures(figures), told)


def _ready(
    container: dagger.Container, project: Project, folder: dagger.Directory, names: tuple[str, ...]
) -> dagger.Container:
    """With the audit's own files, the advisories, and what the project pins."""
    for file in resources.files("sealane.stages.scripts.audit").iterdir():
        if file.name.endswith(".py"):
            container = container.with_new_file(f"/sealane/audit/{file.name}", file.read_text())
    return (
        container.with_env_variable("PYTHONPATH", "/sealane")
        .with_env_variable("PYTHONDONTWRITEBYTECODE", "1")
        .with_mounted_directory(steps.SOURCE, pins(project, names))
        .with_mounted_directory(_ADVISORIES, folder)
    )
