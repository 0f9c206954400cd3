"""Installs a project with what its tests need, by whatever way the project says it."""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING, Any

from sealane.stages import steps, tools

if TYPE_CHECKING:
    import dagger

    from sealane.stages.project import Project

_EXTRAS = ("test", "tests", "testing")
_PIP = ("python", "-m", "pip", "install")


async def for_tests(project: Project, *more_packages: str) -> tuple[dagger.Container, tuple[str, ...]]:
    """A container with the source, its requirements and pytest; and notes on what was left out.

    `more_packages` are Debian's, beside those of the configuration. Raises CannotRunError with pip's log.
    """
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
    groups = _groups(project.pyproject)
    if groups:
        container = await steps.installed(container.with_exec([*_PIP, *groups]), "the dependency group of the tests")
    ensure = "/sealane/ensure.py"
    container = container.with_new_file(ensure, steps.script("ensure.py"))
    container = container.with_exec(["python", ensure, tools.requirement("pytest"), tools.requirement("pytest-cov")])
    container = await steps.installed(container, "pytest")
    container = container.with_directory(steps.SOURCE, project.source)
    if project.installable:
        container, note = await _with_project(container, await _extras(project), optional=bool(names))
        notes.append(note)
    return container, tuple(filter(None, notes))


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


async def _extras(project: Project) -> tuple[str, ...]:
    """The extras that bring what tests need."""
    known = set(project.pyproject.get("project", {}).get("optional-dependencies", {}))
    if project.has("setup.cfg"):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(await project.source.file("setup.cfg").contents())
        except configparser.Error:
            return ()
        if parser.has_section("options.extras_require"):
            known |= set(parser.options("options.extras_require"))
    elif project.has("setup.py") and not known:
        return _EXTRAS  # what a program says can't be read; pip only warns about an extra that isn't there
    return tuple(extra for extra in _EXTRAS if extra in known) or (("dev",) if "dev" in known else ())


def _groups(pyproject: dict[str, Any]) -> tuple[str, ...]:
    """The requirements of the first dependency group (PEP 735) for tests, written out: an old pip has no `--group`."""
    groups = pyproject.get("dependency-groups", {})
    name = next((n for n in (*_EXTRAS, "dev") if n in groups), None)
    return tuple(_expand(groups, name, frozenset())) if name else ()


def _expand(groups: dict[str, Any], name: str, seen: frozenset[str]) -> list[str]:
    found = []
    for item in groups.get(name, []):
        if isinstance(item, str):
            found.append(item)
        elif (other := item.get("include-group")) and other not in seen:
            found += _expand(groups, other, seen | {name})
    return found
