"""The linters that come as Python packages, whatever language they look at."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sealane.stages import declared, steps
from sealane.stages.lint import narrow, pinned
from sealane.stages.lint.part import Part, cannot_run, executed
from sealane.stages.lint.table import TOOLS, arguments

if TYPE_CHECKING:
    import dagger

    from sealane.config.stages import LintTool
    from sealane.stages.project import Project

_PATH = f"{steps.TOOLS}/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin"
_HEREDOC = re.compile(r"^\s*(RUN|COPY|ADD)\b.*<<-?[\"']?\w", re.MULTILINE | re.IGNORECASE)
_UNPARSED = "DL1000"


def wanted(project: Project) -> list[LintTool]:
    """The configured tools that have something to look at."""
    return [name for name in project.lint_tools if name in TOOLS and narrow.wanted(name, TOOLS[name], project)]


async def run(project: Project) -> list[Part]:
    names = wanted(project)
    if not names:
        return []
    ready = await installed(project, names)
    return await steps.concurrently(*((lambda n=name: _one(n, ready[n], project)) for name in names))


async def installed(project: Project, names: list[LintTool]) -> dict[LintTool, dagger.Container | steps.CannotRunError]:
    """A container that has each tool; or why it can't be had. Without a network none can: raises CannotRunError.

    All in one environment, for that is quickest. When that can't be made, each in one of its own, so that a tool that
    can't be had takes no other with it.
    """

    async def made(*some: LintTool) -> dagger.Container:
        wanted = dict.fromkeys(pinned.requirement(TOOLS[name].package, project) for name in some)
        base = await steps.installed(steps.with_requirements(steps.python(project.config), *wanted), "the linters")
        return base.with_env_variable("PATH", _PATH).with_env_variable("RUFF_NO_CACHE", "true")

    async def alone(name: LintTool) -> dagger.Container | steps.CannotRunError:
        try:
            return await made(name)
        except steps.CannotRunError as error:
            return steps.CannotRunError(error.message.replace("the linters", name, 1), error.log)

    try:
        return dict.fromkeys(names, await made(*names))
    except steps.CannotRunError as error:
        if steps.offline(error.log):
            raise
    found = await steps.concurrently(*((lambda n=name: alone(n)) for name in names))
    return dict(zip(names, found, strict=True))


async def _one(name: LintTool, container: dagger.Container | steps.CannotRunError, project: Project) -> Part:
    if isinstance(container, steps.CannotRunError):
        return cannot_run(name, container)
    tool = TOOLS[name]
    notes: tuple[str, ...] = ()
    if tool.sees:
        container, notes = await _with_requirements(container, project)
    if name == "mypy":
        container = container.with_env_variable("MYPY_CACHE_DIR", "/tmp/mypy")  # noqa: S108 - inside the container
    container = container.with_mounted_directory(steps.SOURCE, project.source)
    words = [*tool.command, *arguments(name, tool, project)]
    part = await executed(name, tool, container, words, project.config)
    if name == "hadolint":
        part = await _without_heredocs(part, project)
    return replace(part, notes=(*part.notes, *notes))


async def _with_requirements(base: dagger.Container, project: Project) -> tuple[dagger.Container, tuple[str, ...]]:
    """What the code imports, so that a tool sees its types. Without it the tool still runs, and the report says so."""
    configured = project.config.lint.requirements
    names = project.requirements if configured is None else configured
    more = declared.dependencies(project) if configured is None else ()
    if not names and not more:
        return base, ()
    container = await steps.with_requirement_files(base, project, names)
    words = [*(word for name in names for word in ("-r", name)), *more]
    try:
        command = ["/usr/local/bin/python", "-m", "pip", "install", *words]
        container = await steps.installed(container.with_exec(command), names[0] if names else "what the code imports")
    except steps.CannotRunError as error:
        return base, (f"ran without the project's requirements ({error.message})",)
    # pylint has no setting for whose packages it sees: they stand behind those of its own environment.
    return container.with_exec(["/usr/local/bin/python", "-c", steps.script("see_packages.py"), steps.TOOLS]), ()


async def _without_heredocs(part: Part, project: Project) -> Part:
    """What hadolint left: it can't parse a heredoc that an instruction follows: no fault of the file's, and no look at it either."""
    found = [f for f in part.findings if f.rule == _UNPARSED and project.has(f.file)]
    unread = [f for f in found if _HEREDOC.search(await project.source.file(f.file).contents())]
    if not unread:
        return part
    left = tuple(finding for finding in part.findings if finding not in unread)
    files = ", ".join(dict.fromkeys(finding.file for finding in unread))
    note = f"did not look at {files}: it can't read heredocs (scan's own rules do)"
    return replace(part, findings=left, clean=False, notes=(*part.notes, note), unseen=not left)
