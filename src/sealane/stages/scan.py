"""The stage scan: every scanner that the configuration names, over the files of the project, each to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from dagger import dag

from sealane.findings import Severity
from sealane.stages import steps
from sealane.stages.result import Outcome, StageResult, not_run
from sealane.stages.scanners import (
    audits,
    codeql,
    dependencies,
    given,
    leaks,
    licences,
    narrow,
    scanned,
    semgrep,
    trivy,
)
from sealane.stages.scanners.scanned import Scanned

if TYPE_CHECKING:
    from sealane.stages.project import Project

NAME = "scan"

RUNNERS: Mapping[str, Callable[[Project], Awaitable[Scanned]]] = {
    semgrep.CODE: semgrep.code,
    semgrep.SECRETS: semgrep.secrets,
    semgrep.PACKS: semgrep.packs,
    dependencies.NAME: dependencies.run,
    licences.NAME: licences.run,
    trivy.NAME: trivy.files,
    codeql.NAME: codeql.run,
    leaks.GITLEAKS: leaks.gitleaks,
    leaks.TRUFFLEHOG: leaks.trufflehog,
    audits.PIP_AUDIT: audits.pip_audit,
    audits.SAFETY: audits.safety,
    audits.NPM_AUDIT: audits.npm_audit,
}


async def nothing_to_do(project: Project) -> str:
    return "" if project.files else "no files"


async def run(project: Project) -> StageResult:
    """All scanners that are named, and those whose report is handed in."""
    if not project.files:
        return not_run(NAME, "no files")
    names = dict.fromkeys((*project.config.scan.scanners, *project.config.scan.reports))
    done = await steps.concurrently(*((lambda n=name: _one(n, project)) for name in names))
    result = result_of(NAME, [narrow.kept(one, project) for one in done], project)
    return result if project.changes is None else result.noting(project.changes.said())


async def _one(name: str, whole: Project) -> Scanned:
    if idle := narrow.idle(name, whole):
        return Scanned(name, idle=idle)
    project = narrow.seen(name, whole)
    if name in project.config.scan.reports or name not in RUNNERS:
        return await given.run(project, name)
    return await guarded(name, RUNNERS[name](project))


async def guarded(name: str, scan: Awaitable[Scanned]) -> Scanned:
    """A scanner that can't be installed is *not scanned*, and hides no other's findings."""
    try:
        return await scan
    except steps.CannotRunError as error:
        return Scanned(name, wrong=error.message, report=scanned.log(name, error.log))


def result_of(stage: str, done: Iterable[Scanned], project: Project) -> StageResult:
    """Fails on a finding of high severity. A scanner that did not look, or not at everything, is *not scanned*, never
    clean: without a high finding the stage then is *not run*.
    """
    done = tuple(done)
    accept = project.config.gates.accept
    open_ = [one.wrong for one in done if one.wrong and one.name not in accept]
    notes = [
        f"not scanned (accepted): {o.wrong}; accepted: {accept[o.name]}" for o in done if o.wrong and o.name in accept
    ]
    notes += [f"nothing to scan: {one.name}: {one.idle}" for one in done if one.idle]
    notes += [f"scanned: {note}" for one in done for note in one.notes]
    findings = tuple(finding for one in done for finding in one.findings)
    high = sum(finding.severity is Severity.HIGH for finding in findings)
    figures = {"findings": len(findings), "high": high} | {k: v for one in done for k, v in one.figures.items()}
    report = dag.directory()
    for one in done:
        report = report.with_directory("/", one.report) if one.report else report
    missing = {one.name: one.wrong for one in done if one.wrong}
    if open_ and not high:
        return StageResult(
            stage,
            Outcome.NOT_RUN,
            open_[0],
            broken=True,
            report=report,
            notes=(*(f"not scanned: {reason}" for reason in open_[1:]), *notes),
            findings=findings,
            not_scanned=missing,
        )
    return StageResult(
        stage,
        Outcome.FAILED if high else Outcome.RAN,
        f"{high} high" if high else "",
        report=report,
        notes=(*(f"not scanned: {reason}" for reason in open_), *notes),
        findings=findings,
        figures=figures,
        not_scanned=missing,
    )
