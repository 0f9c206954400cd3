"""The stage scan: Semgrep with the rules that ship here, over the code; secrets, over every file; and other scanners."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from dagger import dag

from sealane.errors import ReportUnreadable
from sealane.findings import Severity, sarif, security
from sealane.stages import dependencies, given, scanned, steps
from sealane.stages.result import Outcome, StageResult, not_run
from sealane.stages.scanned import Scanned

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dagger

    from sealane.stages.project import Project

NAME = "scan"
SECURITY = "security-report.json"
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
    """All scanners, each to its end. Fails on a finding of high severity; a scanner that did not look, or not at
    everything, is *not scanned*, never clean: without a high finding the stage then is *not run*.
    """
    if not project.files:
        return not_run(NAME, "no files")
    names = dict.fromkeys((*project.config.scan.scanners, *project.config.scan.reports))
    base = await scanner() if {"semgrep", "secrets"} & set(names) else None
    done = await steps.concurrently(*((lambda n=name: _one(n, base, project)) for name in names))
    accept = project.config.gates.accept
    open_ = [one.wrong for one in done if one.wrong and one.name not in accept]
    notes = [
        f"not scanned (accepted): {o.wrong}; accepted: {accept[o.name]}" for o in done if o.wrong and o.name in accept
    ]
    notes += [f"nothing to scan: {one.name}: {one.idle}" for one in done if one.idle]
    findings = tuple(finding for one in done for finding in one.findings)
    high = sum(finding.severity is Severity.HIGH for finding in findings)
    figures = {"findings": len(findings), "high": high} | {k: v for one in done for k, v in one.figures.items()}
    report = dag.directory()
    for one in done:
        report = report.with_directory("/", one.report) if one.report else report
    report = report.with_new_file(
        SECURITY, security.write(findings, {one.name: one.wrong for one in done if one.wrong})
    )
    if open_ and not high:
        return StageResult(
            NAME,
            Outcome.NOT_RUN,
            open_[0],
            broken=True,
            report=report,
            notes=(*(f"not scanned: {reason}" for reason in open_[1:]), *notes),
            findings=findings,
        )
    return StageResult(
        NAME,
        Outcome.FAILED if high else Outcome.RAN,
        f"{high} high" if high else "",
        report=report,
        notes=(*(f"not scanned: {reason}" for reason in open_), *notes),
        findings=findings,
        figures=figures,
    )


async def _one(name: str, base: dagger.Container | None, project: Project) -> Scanned:
    if name == dependencies.NAME:
        return await dependencies.run(project)
    if base is None or name not in {"semgrep", "secrets"}:
        return await given.run(project, name)
    code = tuple(path for path in everything() if path != f"{_RULES}/{SECRETS}") + project.config.scan.rules
    passes = {
        "semgrep": Pass("semgrep", code, project.source),
        "secrets": Pass(
            "secrets", (f"{_RULES}/{SECRETS}",), project.source.with_new_file(".semgrepignore", _EVERYTHING)
        ),
    }
    return await _scan(passes[name], base, project)


async def _scan(which: Pass, base: dagger.Container, project: Project) -> Scanned:
    """One pass of Semgrep."""
    output, scan = f"{steps.REPORTS}/{which.name}.sarif", project.config.scan
    limit = ["timeout", "--kill-after=10", str(scan.timeout)]
    words = [*limit, *command(which.rules, output, scan.exclude)]
    done = await steps.attempt(base.with_mounted_directory(steps.SOURCE, which.source), words)
    report = scanned.log(which.name, done.output)
    if done.exit_code not in {0, 1}:
        return Scanned(which.name, report=report, wrong=scanned.ended(which.name, done, scan.timeout))
    file = done.container.file(output)
    try:
        findings = sarif.read(await scanned.text_of(file, which.name), which.name)
    except ReportUnreadable as error:
        return Scanned(which.name, report=report, wrong=error.message)
    except (AttributeError, RecursionError) as error:
        return Scanned(which.name, report=report, wrong=f"{which.name}'s SARIF can't be read: {error!r}"[:300])
    return Scanned(which.name, tuple(findings), report.with_file(f"{which.name}.sarif", file))
