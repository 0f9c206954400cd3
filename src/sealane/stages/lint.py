"""The stage lint: black, isort, flake8, mypy and bandit side by side, and the frontend's own lint script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagger import dag

from sealane.findings import Finding, Severity
from sealane.findings import lint as read
from sealane.stages import steps
from sealane.stages.result import Outcome, StageResult, not_run

if TYPE_CHECKING:
    from collections.abc import Callable

    import dagger

    from sealane.config import LintTool
    from sealane.stages.project import Project

NAME = "lint"
BANDIT_REPORT = "bandit-report.json"
_LOGS = f"logs/{NAME}"


@dataclass(frozen=True, slots=True)
class Tool:
    """A linter: the package it comes from, its command, and how to read what it prints."""

    package: str
    command: tuple[str, ...]
    read: Callable[[str, str], list[Finding]]
    exits: frozenset[int] = frozenset({0, 1})


# bandit says what it found in its report, which `_run_tool` reads.
TOOLS: dict[LintTool, Tool] = {
    "black": Tool("black", ("black",), read.black),
    "isort": Tool("isort", ("isort",), read.isort),
    "flake8": Tool("flake8", ("flake8",), read.flake8),
    "mypy": Tool("mypy", ("mypy", "--python-executable=/usr/local/bin/python"), read.mypy),
    "bandit": Tool("bandit", ("bandit",), lambda _out, _err: []),
    "ruff": Tool("ruff", ("ruff", "check"), read.ruff),
    "ruff-format": Tool("ruff", ("ruff", "format"), lambda out, err: read.black(out, err, tool="ruff-format")),
}


def arguments(tool: LintTool, project: Project) -> tuple[str, ...]:
    """The tool's arguments: the configuration's, or defaults over the project's own folders."""
    lint = project.config.lint
    if tool in lint.args:
        return lint.args[tool]
    paths = lint.paths or project.packages or (".",)
    return {
        "black": ("--check", "--diff", "."),
        "isort": ("--check-only", "--diff", *(() if project.sets("isort") else ("--profile=black",)), "."),
        "flake8": (".", "--count", "--select=E9,F63,F7,F82", "--show-source", "--statistics"),
        "mypy": (*paths, "--ignore-missing-imports"),
        "bandit": ("-r", *paths),
        "ruff": (".",),
        "ruff-format": ("--check", "--diff", "."),
    }[tool]


async def nothing_to_do(project: Project) -> str:
    if project.python or "lint" in await project.node_scripts():
        return ""
    return "no Python files"


async def run(project: Project) -> StageResult:
    """Every tool, each to its end. Fails when one of them found something."""
    calls = []
    if project.python:
        calls.append(lambda: _lint_python(project))
    if project.config.frontend.lint in await project.node_scripts():
        calls.append(lambda: _lint_frontend(project))
    if not calls:
        return not_run(NAME, await nothing_to_do(project))
    parts = [part for parts in await steps.concurrently(*calls) for part in parts]
    report = dag.directory()
    for part in parts:
        report = report.with_directory("/", part.report)
    bad = [part for part in parts if not part.clean and not part.broken]
    broken = [part for part in parts if part.broken]
    notes = tuple(f"{part.tool}: {part.note}" for part in parts if part.note)
    findings = tuple(finding for part in parts for finding in part.findings)
    clean = ", ".join(part.tool for part in parts if part.clean)
    if not bad and broken:
        return StageResult(NAME, Outcome.NOT_RUN, broken[0].note, broken=True, report=report, notes=notes)
    return StageResult(
        NAME,
        Outcome.FAILED if bad or broken else Outcome.RAN,
        ", ".join(part.tool for part in bad or broken),
        report=report,
        notes=(*notes, f"clean: {clean}") if clean else notes,
        findings=findings,
        figures={"findings": len(findings)},
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """One tool's share of the stage."""

    tool: str
    clean: bool
    report: dagger.Directory
    findings: tuple[Finding, ...] = ()
    note: str = ""
    broken: bool = False


async def _lint_python(project: Project) -> list[_Part]:
    names = project.config.lint.tools
    packages = dict.fromkeys(TOOLS[name].package for name in names)
    base = await steps.installed(steps.with_tools(steps.python(project.config), *packages), "the linters")
    base = base.with_env_variable("PATH", f"{steps.TOOLS}/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin")

    async def one(name: LintTool) -> _Part:
        container, note = (base, "") if name != "mypy" else await _with_requirements(base, project)
        return await _run_tool(name, container.with_mounted_directory(steps.SOURCE, project.source), project, note)

    return await steps.concurrently(*((lambda n=name: one(n)) for name in names))


async def _with_requirements(base: dagger.Container, project: Project) -> tuple[dagger.Container, str]:
    """What the code imports, so that mypy sees its types. Without it mypy still runs, and the report says so."""
    configured = project.config.lint.requirements
    names = project.requirements if configured is None else configured
    if not names:
        return base, ""
    container = await steps.with_requirement_files(base, project, names)
    words = [word for name in names for word in ("-r", name)]
    try:
        command = ["/usr/local/bin/python", "-m", "pip", "install", *words]
        return await steps.installed(container.with_exec(command), names[0]), ""
    except steps.CannotRunError as error:
        return base, f"ran without the project's requirements ({error.message})"


async def _run_tool(name: LintTool, container: dagger.Container, project: Project, note: str) -> _Part:
    tool = TOOLS[name]
    command = [*tool.command, *arguments(name, project)]
    report = f"{steps.REPORTS}/{BANDIT_REPORT}"
    if name == "bandit":
        command += ["-f", "json", "-o", report]
    if name == "mypy":
        container = container.with_env_variable("MYPY_CACHE_DIR", "/tmp/mypy")  # noqa: S108 - inside the container
    done = await steps.attempt(container, command)
    directory = dag.directory().with_new_file(f"{_LOGS}/{name}.txt", done.output + "\n")
    findings = tool.read(done.stdout, done.stderr)
    if name == "bandit" and done.exit_code in tool.exits:
        file = done.container.file(report)
        findings = read.bandit(await file.contents())
        directory = directory.with_file(BANDIT_REPORT, file)
    if done.exit_code and not findings:
        said = steps.last_lines(done.output, 5)
        findings = [Finding(name, "", Severity.MEDIUM, f"exited with {done.exit_code}: {said}")]
    return _Part(name, done.exit_code == 0, directory, tuple(findings) if done.exit_code else (), note)


async def _lint_frontend(project: Project) -> list[_Part]:
    script = project.config.frontend.lint
    try:
        container = await steps.node(project)
    except steps.CannotRunError as error:
        log = dag.directory().with_new_file(f"{_LOGS}/frontend.txt", error.log + "\n")
        return [_Part("frontend", clean=False, report=log, note=f"not run ({error.message})", broken=True)]
    done = await steps.attempt(container, ["npm", "run", script])
    directory = dag.directory().with_new_file(f"{_LOGS}/frontend.txt", done.output + "\n")
    if done.exit_code == 0:
        return [_Part("frontend", clean=True, report=directory)]
    said = steps.last_lines(done.output, 15)
    finding = Finding("frontend", script, Severity.MEDIUM, f"`npm run {script}` exited with {done.exit_code}:\n{said}")
    return [_Part("frontend", clean=False, report=directory, findings=(finding,))]
