"""What the linters' tools mend by themselves: one after the other over the source, formatters last."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sealane.errors import StageFailed
from sealane.stages import steps
from sealane.stages.lint import node, packaged
from sealane.stages.lint.table import NODE_TOOLS, TOOLS, Tool, arguments

if TYPE_CHECKING:
    import dagger

    from sealane.config.stages import LintTool
    from sealane.stages.project import Project

ORDER: tuple[LintTool, ...] = ("ruff", "isort", "black", "ruff-format", "eslint", "prettier")
_SPECIAL = re.compile(r"[][*?!\\]")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mended:
    """The source as the tools left it. `failed` says of each that did not do all of its work why."""

    source: dagger.Directory
    failed: tuple[str, ...]


async def changes(project: Project) -> dagger.Changeset:
    """From the source to the mended one. Tools that failed go to the log; raises StageFailed when nothing else came of it."""
    mended = await run(project)
    found = mended.source.changes(project.source)
    if mended.failed and await found.is_empty():
        raise StageFailed("nothing was mended\n" + "\n".join(mended.failed), reason="not-mended")
    for failure in mended.failed:
        _LOG.warning("not all was mended: %s", failure)
    return found


async def run(project: Project) -> Mended:
    """Each tool over what the one before it left, with the arguments that it looks with; no file is added or removed.

    Of a project that is narrowed to what changed, only that is mended.
    """
    names = packaged.wanted(project)
    ready: dict[LintTool, dagger.Container | steps.CannotRunError] = {}
    if not set(ORDER).isdisjoint(names):
        try:
            ready = await packaged.installed(project, names)
        except steps.CannotRunError as error:
            ready = dict.fromkeys(names, error)
    wanted = {*names, *node.wanted(project)}
    current, failed = project, []
    for name in (each for each in ORDER if each in wanted):
        try:
            source, failure = await _one(name, current, ready)
        except steps.CannotRunError as error:
            failed.append(f"{name}: {error.message}")
            continue
        current = replace(current, source=source)
        failed += [failure] if failure else []
    mended = current.source
    if project.changes is not None and not project.changes.settings:
        changed = [_SPECIAL.sub("?", file) for file in sorted(project.changes.files)]
        mended = project.source.with_directory("/", mended, include=changed)
    return Mended(await _without_additions(project.source, mended), tuple(failed))


async def _one(
    name: LintTool, project: Project, ready: dict[LintTool, dagger.Container | steps.CannotRunError]
) -> tuple[dagger.Directory, str]:
    """The source that a tool leaves, also when it could not read some files; and why it did not do all of its work."""
    if name in NODE_TOOLS:
        container, words = await node.ready(name, project, mend=True)
        done = await steps.attempt(container, words)
        folder = project.frontend or "."
        left = project.source.with_directory(folder, done.container.directory(node.FOLDER), exclude=["**/node_modules"])
        return left, _failure(name, NODE_TOOLS[name], done)
    container_or_error = ready[name]
    if isinstance(container_or_error, steps.CannotRunError):
        raise container_or_error
    tool = TOOLS[name]
    args = arguments(name, tool, project)
    words = [*tool.command, *(tool.fix(args) if tool.fix is not None else args)]
    done = await steps.attempt(container_or_error.with_directory(steps.SOURCE, project.source), words)
    return done.container.directory(steps.SOURCE), _failure(name, tool, done)


def _failure(name: str, tool: Tool, done: steps.Executed) -> str:
    """Exit code 1 is a tool's word for what it can't mend: lint says that."""
    return "" if done.exit_code in tool.exits else f"{name}: exited with {done.exit_code}: {_said(tool, done)}"


def _said(tool: Tool, done: steps.Executed) -> str:
    return steps.last_lines(done.stderr if tool.printed else done.output, 5)


async def _without_additions(before: dagger.Directory, after: dagger.Directory) -> dagger.Directory:
    """Without what the tools and their package managers leave beside the files: caches, lock files."""
    known = set(await before.glob("**"))
    gone = ""
    for path in sorted(set(await after.glob("**")) - known):
        if gone and path.startswith(gone):
            continue
        if path.endswith("/"):
            gone, after = path, after.without_directory(path)
        else:
            after = after.without_file(path)
    return after
