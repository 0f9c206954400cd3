"""The stage scan: Semgrep with the rules that ship here, over the code; and secrets, over every file of the tree."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from dagger import dag

from sealane.errors import ReportUnreadable
from sealane.findings import Severity, sarif
from sealane.stages import steps
from sealane.stages.result import Outcome, StageResult, not_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dagger

    from sealane.findings import Finding
    from sealane.stages.project import Project

NAME = "scan"
_LOGS = f"logs/{NAME}"
_RULES = "/rules"
SECRETS = "secrets.yaml"
# Semgrep leaves tests and examples out of its own accord. A secret there is as lost as one anywhere.
_EVERYTHING = "node_modules/\n.venv/\n.git/\n"


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of Semgrep: a name, its rules and what it looks at."""

    name: str
    rules: tuple[str, ...]
    source: dagger.Directory


def rules() -> dict[str, str]:
    """File name → text of the rules that ship with Sealane."""
    folder = resources.files("sealane.stages.rules")
    return {f.name: f.read_text() for f in sorted(folder.iterdir(), key=lambda f: f.name) if f.name.endswith(".yaml")}


def everything() -> tuple[str, ...]:
    """Where the rules that ship are in the scanner's container."""
    return tuple(f"{_RULES}/{name}" for name in rules())


def command(configs: Sequence[str], output: str, exclude: Sequence[str] = ()) -> list[str]:
    """One run of Semgrep over the working directory that asks nobody and sends nothing."""
    words = ["semgrep", "scan", "--metrics=off", "--disable-version-check", "--no-git-ignore", "--quiet"]
    words += [word for config in configs for word in ("--config", config)]
    words += [word for pattern in exclude for word in ("--exclude", pattern)]
    return [*words, "--sarif", "--output", output, "."]


async def scanner() -> dagger.Container:
    """Semgrep with the rules that ship. Raises steps.CannotRunError."""
    base = await steps.installed(steps.with_tools(steps.python(), "semgrep"), "semgrep")
    base = base.with_env_variable("SEMGREP_ENABLE_VERSION_CHECK", "0").with_env_variable("SEMGREP_SEND_METRICS", "off")
    base = base.with_env_variable("PATH", f"{steps.TOOLS}/bin:/usr/local/bin:/usr/bin:/bin")
    for name, text in rules().items():
        base = base.with_new_file(f"{_RULES}/{name}", text)
    return base


async def nothing_to_do(project: Project) -> str:
    return "" if project.files else "no files"


async def run(project: Project) -> StageResult:
    """Both passes. Fails on a finding of high severity; a scanner that broke is *not run*, never clean."""
    if not project.files:
        return not_run(NAME, "no files")
    base = await scanner()
    code = tuple(path for path in everything() if path != f"{_RULES}/{SECRETS}") + project.config.scan.rules
    passes = (
        Pass("semgrep", code, project.source),
        Pass("secrets", (f"{_RULES}/{SECRETS}",), project.source.with_new_file(".semgrepignore", _EVERYTHING)),
    )
    done = await steps.concurrently(*((lambda p=p: _scan(p, base, project)) for p in passes))
    report = dag.directory()
    for _, directory, _ in done:
        report = report.with_directory("/", directory)
    findings = tuple(finding for found, _, _ in done for finding in found)
    broken = [reason for _, _, reason in done if reason]
    high = sum(finding.severity is Severity.HIGH for finding in findings)
    figures = {"findings": len(findings), "high": high}
    if broken and not high:
        return StageResult(NAME, Outcome.NOT_RUN, broken[0], broken=True, report=report, findings=findings)
    return StageResult(
        NAME,
        Outcome.FAILED if high else Outcome.RAN,
        f"{high} high" if high else "",
        report=report,
        notes=tuple(broken),
        findings=findings,
        figures=figures,
    )


async def _scan(which: Pass, base: dagger.Container, project: Project) -> tuple[list[Finding], dagger.Directory, str]:
    """The findings of one pass, its reports, and why it could not run (empty when it did)."""
    output = f"{steps.REPORTS}/{which.name}.sarif"
    words = command(which.rules, output, project.config.scan.exclude)
    done = await steps.attempt(base.with_mounted_directory(steps.SOURCE, which.source), words)
    logs = dag.directory().with_new_file(f"{_LOGS}/{which.name}.txt", done.output + "\n")
    if done.exit_code not in {0, 1}:
        said = steps.last_lines(done.output, 1)
        return [], logs, f"{which.name} exited with {done.exit_code}: {said}"
    file = done.container.file(output)
    try:
        findings = sarif.read(await file.contents(), which.name)
    except ReportUnreadable as error:
        return [], logs, error.message
    return findings, logs.with_file(f"{which.name}.sarif", file), ""
