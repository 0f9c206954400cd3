"""The review of dependencies: which a change adds, moves and takes away, and what is known of the new versions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dagger import dag

from sealane.stages import project as projects
from sealane.stages.scanners import dependencies
from sealane.stages.scanners.scanned import Scanned

if TYPE_CHECKING:
    import dagger

    from sealane.stages.project import Project

NAME = dependencies.NAME
REPORT = "dependency-review.json"
_Row = dict[str, Any]


async def run(project: Project, base: dagger.Directory | None) -> Scanned:
    """Against the project as it is in `base`; without one, all dependencies count as new."""
    folder, wrong = dependencies.advisories(project)
    if not dependencies.files(project):
        return Scanned(NAME, idle="no requirement or lock file")
    if folder is None:
        return Scanned(NAME, wrong=wrong)
    head = await dependencies.audit(project, folder)
    if not head.told:
        return head.scanned
    before: list[_Row] = []
    if base is not None:
        old = await projects.read(base)
        if dependencies.files(old):
            audited = await dependencies.audit(old, folder)
            if not audited.told:
                return replace(audited.scanned, wrong=f"the base: {audited.scanned.wrong}")
            before = audited.told["pinned"]
    changes = compare(before, head.told["pinned"])
    new = {_key(row) for row in (*changes["added"], *changes["changed"])}
    kept = [v for v in head.told["vulnerabilities"] if base is None or _key({**v, "name": v["package"]}) in new]
    places = {(v["id"], v["file"], v["line"]) for v in kept}
    findings = tuple(f for f in head.scanned.findings if (f.rule, f.file, f.line) in places)
    document = {**changes, "against": "all dependencies" if base is None else "base", "vulnerabilities": kept}
    report = head.scanned.report or dag.directory()
    said = ", ".join(f"{len(changes[kind])} {kind}" for kind in ("added", "changed", "removed"))
    return replace(
        head.scanned,
        findings=findings,
        report=report.with_new_file(REPORT, json.dumps(document, indent=2) + "\n"),
        notes=(f"dependencies {'against the base' if base is not None else '(no base: all)'}: {said}",),
    )


def compare(before: list[_Row], after: list[_Row]) -> dict[str, list[_Row]]:
    """By ecosystem and name: what only the one has, and whose versions differ (with those it had, in `was`)."""
    old, new = _versions(before), _versions(after)
    added = [row for row in after if _name(row) not in old]
    changed = [
        {**row, "was": sorted(old[_name(row)])}
        for row in after
        if _name(row) in old and row["version"] not in old[_name(row)]
    ]
    removed = [row for row in before if _name(row) not in new]
    return {"added": _once(added), "changed": _once(changed), "removed": _once(removed)}


def _versions(rows: list[_Row]) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        found.setdefault(_name(row), set()).add(row["version"])
    return found


def _once(rows: list[_Row]) -> list[_Row]:
    """One package at one version once, though several files name it."""
    return list({_key(row): row for row in reversed(rows)}.values())[::-1]


def _name(row: _Row) -> tuple[str, str]:
    return row["ecosystem"], row["normal"]


def _key(row: _Row) -> tuple[str, str, str]:
    return row["ecosystem"], row["name"], row["version"]
