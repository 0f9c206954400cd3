"""The linters of the Node part: the project's own ESLint and Prettier, else ours; and its `npm run lint`."""

from __future__ import annotations

import json
import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from sealane.findings import Finding, Severity
from sealane.findings import lint as read
from sealane.stages import steps, tools
from sealane.stages.lint import looks
from sealane.stages.lint.part import Part, cannot_run, executed, log
from sealane.stages.lint.table import NODE_TOOLS, arguments

if TYPE_CHECKING:
    import dagger

    from sealane.config.stages import LintTool
    from sealane.stages.lint.table import Tool
    from sealane.stages.project import Project

FOLDER = "/frontend"
CHECKED = "/checked"
OURS = "/opt/sealane-node"
CONFIG = f"{OURS}/eslint.config.mjs"
_PACKAGES = {"eslint": ("eslint", "@eslint/js", "globals"), "prettier": ("prettier",)}
# What is a mistake in any JavaScript, for a project without rules of its own.
_RULES = """\
import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/*.min.*", "**/{vendor,vendored,_vendor,bower_components,third_party,dist,build}/**"] },
  js.configs.recommended,
  { languageOptions: { globals: { ...globals.browser, ...globals.node } } },
];
"""


def wanted(project: Project) -> list[LintTool]:
    """The configured tools that have something to look at."""
    if not looks.node_part(project):
        return []
    return [name for name in project.lint_tools if name in NODE_TOOLS and _touched(NODE_TOOLS[name], project)]


def _touched(tool: Tool, project: Project) -> bool:
    return bool(tool.looks(project)) and (project.changes is None or project.changes.touches(_files(project)))


def _files(project: Project) -> tuple[str, ...]:
    """All of the Node part: what its tools look at is for its own settings to say."""
    return tuple(name for name in project.files if project.frontend == "." or name.startswith(f"{project.frontend}/"))


async def has_script(project: Project) -> bool:
    """Whether it has a lint script of its own, for which there is something to look at."""
    there = project.config.frontend.lint in await project.node_scripts()
    return there and (project.changes is None or project.changes.touches(_files(project)))


async def run(project: Project) -> list[Part]:
    scripts = [lambda: _script(project)] if await has_script(project) else []
    return await steps.concurrently(*((lambda n=name: _one(n, project)) for name in wanted(project)), *scripts)


async def _one(name: LintTool, project: Project) -> Part:
    try:
        container, words = await ready(name, project)
    except steps.CannotRunError as error:
        return cannot_run(name, error)
    tool = NODE_TOOLS[name]
    part = await executed(name, tool, container, words, project.config)
    if name == "prettier" and not part.clean:
        part = await _placed(part, name, container, project)
    return replace(part, findings=tuple(_moved(finding, project) for finding in part.findings))


async def ready(name: LintTool, project: Project, *, mend: bool = False) -> tuple[dagger.Container, list[str]]:
    """A container with the tool over the Node part, and its whole command. Raises CannotRunError.

    The tool is the project's own when its package.json names it, in which case its packages are installed; else ours.
    """
    tool = NODE_TOOLS[name]
    args = arguments(name, tool, project)
    if mend and tool.fix is not None:
        args = tool.fix(args)
    if tool.package in await _declared(project):
        return await steps.node(project), [f"node_modules/.bin/{tool.command[0]}", *tool.command[1:], *args]
    packages = [tools.node_requirement(package) for package in _PACKAGES[name]]
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", OURS, *packages]
    own = name == "eslint" and looks.sets_eslint(project)  # whose configuration imports what the project installs
    base = await steps.node(project) if own else steps.node_base(project.config).with_workdir(FOLDER)
    container = await steps.installed(base.with_exec(command), name)
    container = container.with_directory(FOLDER, project.source.directory(project.frontend or "."))
    config: list[str] = []
    if name == "eslint" and not own:
        container, config = container.with_new_file(CONFIG, _RULES), ["--config", CONFIG]
    return container, [f"{OURS}/node_modules/.bin/{tool.command[0]}", *tool.command[1:], *config, *args]


async def _declared(project: Project) -> frozenset[str]:
    """The packages that `package.json` names."""
    try:
        package = json.loads(await project.source.file(looks.node_part(project)[0]).contents())
        return frozenset({**package.get("dependencies", {}), **package.get("devDependencies", {})})
    except (ValueError, AttributeError, TypeError):
        return frozenset()


async def _placed(part: Part, name: LintTool, container: dagger.Container, project: Project) -> Part:
    """Prettier names files alone: what it would write instead says the line."""
    _, words = await ready(name, project, mend=True)
    source = project.source.directory(project.frontend or ".")
    written = await steps.attempt(container.with_directory(CHECKED, source), words)
    compare = ["diff", "-ru", "--exclude=node_modules", "--exclude=package-lock.json", CHECKED, FOLDER]
    findings = tuple(read.prettier((await steps.attempt(written.container, compare)).stdout, CHECKED))
    return replace(part, findings=findings) if findings else part


def _moved(finding: Finding, project: Project) -> Finding:
    """From a path of the container to one of the project."""
    if not finding.file:
        return finding
    file = finding.file.removeprefix(f"{FOLDER[1:]}/")
    return replace(finding, file=posixpath.normpath(posixpath.join(project.frontend or ".", file)))


async def _script(project: Project) -> Part:
    script = project.config.frontend.lint
    try:
        container = await steps.node(project)
    except steps.CannotRunError as error:
        return cannot_run("frontend", error)
    done = await steps.attempt(container, ["npm", "run", script])
    if done.exit_code == 0:
        return Part("frontend", clean=True, report=log("frontend", done.output))
    said = steps.last_lines(done.output, 15)
    finding = Finding("frontend", script, Severity.MEDIUM, f"`npm run {script}` exited with {done.exit_code}:\n{said}")
    return Part("frontend", clean=False, report=log("frontend", done.output), findings=(finding,))
