"""The stage lint: every tool whose kind of file is there, side by side, and the frontend's own lint script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagger import dag

from sealane.stages import steps
from sealane.stages.lint import narrow, node, packaged
from sealane.stages.result import Outcome, StageResult, not_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealane.stages.lint.part import Part
    from sealane.stages.project import Project

NAME = "lint"


async def nothing_to_do(project: Project) -> str:
    if packaged.wanted(project) or node.wanted(project) or await node.has_script(project):
        return ""
    return "no files that a linter looks at" if project.changes is None else "no file changed that a linter looks at"


async def run(project: Project) -> StageResult:
    """Every tool, each to its end. Fails when one of them found something."""
    groups = await steps.concurrently(lambda: packaged.run(project), lambda: node.run(project))
    parts = [narrow.kept(part, project) for group in groups for part in group]
    if not parts:
        return not_run(NAME, await nothing_to_do(project))
    result = _result(parts, project.config.gates.accept)
    return result if project.changes is None else result.noting(project.changes.said())


def _result(parts: Sequence[Part], accept: dict[str, str]) -> StageResult:
    report = dag.directory()
    for part in parts:
        report = report.with_directory("/", part.report)
    bad = [part for part in parts if not (part.clean or part.broken or part.unseen)]
    broken = [part for part in parts if part.broken and part.tool not in accept]
    notes = [f"{part.tool}: {note}" for part in parts for note in part.notes]
    notes += [f"{part.tool}: not run ({part.broken})" for part in broken]
    notes += [
        f"not run (accepted): {part.tool}: {part.broken}; accepted: {accept[part.tool]}"
        for part in parts
        if part.broken and part.tool in accept
    ]
    clean = ", ".join(part.tool for part in parts if part.clean)
    notes += [f"clean: {clean}"] if clean else []
    findings = tuple(finding for part in parts for finding in part.findings)
    figures = {name: value for part in parts for name, value in part.figures.items()}
    outcome, reason = Outcome.RAN, ""
    if bad:
        outcome, reason = Outcome.FAILED, ", ".join(part.tool for part in bad)
    elif broken:
        outcome, reason = Outcome.NOT_RUN, broken[0].broken
    return StageResult(
        NAME,
        outcome,
        reason,
        broken=outcome is Outcome.NOT_RUN,
        report=report,
        notes=tuple(notes),
        findings=findings,
        figures={"findings": len(findings), **figures},
    )
