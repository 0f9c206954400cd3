"""Installs a project with what its tests need, by whatever way the project says it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sealane.stages import declared, steps, tools

if TYPE_CHECKING:
    import dagger

    from sealane.stages.project import Project

_PIP = ("python", "-m", "pip", "install")
_COMPILED = (".c", ".cc", ".cpp", ".cxx", ".pyx")
_COMPILERS = ("gcc", "g++", "libc6-dev", "make")
_NO_COMPILER = re.compile(r"'[\w-]*(?:gcc|g\+\+|cc|c\+\+)'|command '?[\w-]*(?:gcc|cc)'? failed|Unknown compiler")
_VERSIONED = re.compile(r"setuptools[-_]scm|hatch-vcs|pdm-backend|poetry-dynamic-versioning|versioningit|dunamai|pbr")
# A source has no .git, from which these would take the version; any will do for a test.
_VERSION = {
    "SETUPTOOLS_SCM_PRETEND_VERSION": "0.0.1", "PDM_BUILD_SCM_VERSION": "0.0.1", "PBR_VERSION": "0.0.1",
    "POETRY_DYNAMIC_VERSIONING_BYPASS": "0.0.1",
}  # fmt: skip


async def for_tests(project: Project, *more_packages: str) -> tuple[dagger.Container, tuple[str, ...]]:
    """A container with the source, its requirements and pytest; and notes on what was left out.

    `more_packages` are Debian's, beside those of the configuration. A compiler comes along when the project has sources
    for one, or when pip was heard to look for one. Raises CannotRunError with pip's log.
    """
    compiled = project.installable and any(f.endswith(_COMPILED) for f in project.files)
    try:
        return await _for_tests(project, (*more_packages, *(_COMPILERS if compiled else ())))
    except steps.CannotRunError as error:
        if compiled or not _NO_COMPILER.search(error.log):
            raise
    return await _for_tests(project, (*more_packages, *_COMPILERS))


async def _for_tests(project: Project, more_packages: tuple[str, ...]) -> tuple[dagger.Container, tuple[str, ...]]:
    container, notes = steps.python(project.config), []
    packages = (*project.config.test.system_packages, *more_packages)
    if packages:
        container = container.with_exec(["apt-get", "update"]).with_exec(
            ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        )
        container = await steps.installed(container, "the system packages")
    names = project.test_requirements
    if names:
        container = await steps.with_requirement_files(container, project, names)
        container = container.with_exec([*_PIP, *(word for name in names for word in ("-r", name))])
        container = await steps.installed(container, " and ".join(names))
    needed = declared.requirements(project)
    if needed:
        container = await steps.installed(container.with_exec([*_PIP, *needed]), "what the tests need")
    ensure = "/sealane/ensure.py"
    container = container.with_new_file(ensure, steps.script("ensure.py"))
    container = container.with_exec(["python", ensure, tools.requirement("pytest"), tools.requirement("pytest-cov")])
    container = await steps.installed(container, "pytest")
    container = container.with_directory(steps.SOURCE, project.source)
    if project.installable:
        container = _with_version(container, project)
        container, note = await _with_project(container, declared.extras(project), optional=bool(names))
        notes.append(note)
    return container, tuple(filter(None, notes))


def _with_version(container: dagger.Container, project: Project) -> dagger.Container:
    """A version for those who would ask git, unless the source is a distribution, which says its own."""
    build = [*project.pyproject.get("build-system", {}).get("requires", []), *project.pyproject.get("tool", {})]
    said = " ".join((*map(str, build), project.texts.get("setup.cfg", ""), project.texts.get("setup.py", "")))
    if project.has("PKG-INFO") or not _VERSIONED.search(said.replace("setuptools_scm", "setuptools-scm")):
        return container
    for name, value in _VERSION.items():
        container = container.with_env_variable(name, value)
    return container


async def _with_project(
    container: dagger.Container, extras: tuple[str, ...], *, optional: bool
) -> tuple[dagger.Container, str]:
    """The project itself: editable, so that coverage sees its files; else as a plain install, which old ones need."""
    target = f".[{','.join(extras)}]" if extras else "."
    try:
        return await steps.installed(container.with_exec([*_PIP, "-e", target]), "the project"), ""
    except steps.CannotRunError as first:
        try:
            return await steps.installed(container.with_exec([*_PIP, target]), "the project"), ""
        except steps.CannotRunError:
            if optional:
                return container, f"the project itself was not installed ({first.message})"
            raise first from None
