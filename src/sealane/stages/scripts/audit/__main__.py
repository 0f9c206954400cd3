"""audit ADVISORIES PROJECT OUTPUT FILE…: writes what it found as JSON, and ends with 0 whenever all was read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from . import advisories, locks, severity, versions


def audit(database: advisories.Database, packages: list[locks.Package]) -> dict[str, Any]:
    """The report: what is vulnerable, and what could not be decided."""
    pinned = [p for p in packages if p.version]
    covered = {(p.ecosystem, advisories.normal(p.ecosystem, p.name)) for p in pinned}
    open_ = [
        p for p in packages if not p.version and (p.ecosystem, advisories.normal(p.ecosystem, p.name)) not in covered
    ]
    undecided = [f"{p.file}:{p.line}: {p.name} is not pinned to a version of its registry" for p in open_]
    found: list[dict[str, Any]] = []
    for package in pinned:
        entries = database.affected.get((package.ecosystem, advisories.normal(package.ecosystem, package.name)), [])
        hits = []
        for entry in entries:
            try:
                if advisories.concerns(entry, package.ecosystem, package.version):
                    hits.append(entry)
            except versions.NotAVersionError as error:
                undecided.append(
                    f"{package.file}:{package.line}: {entry.advisory} of {package.name}: no version: {error}"
                )
        found += [_row(group, package) for group in _groups(hits)]
    return {
        "advisories": database.count,
        "newest": database.newest,
        "packages": len(pinned),
        "pinned": [_pinned(package) for package in pinned],
        "undecided": undecided,
        "vulnerabilities": found,
    }


def _pinned(package: locks.Package) -> dict[str, Any]:
    """`normal` is the name as the registry compares it."""
    normal = advisories.normal(package.ecosystem, package.name)
    told = {"ecosystem": package.ecosystem, "name": package.name, "normal": normal, "version": package.version}
    return {**told, "file": package.file, "line": package.line}


def _groups(hits: list[advisories.Affected]) -> list[list[advisories.Affected]]:
    """Advisories about the same thing together: two databases give it two names, and each lists the other's."""
    groups: list[list[advisories.Affected]] = []
    for hit in hits:
        same = [group for group in groups if any(hit.names & other.names for other in group)]
        groups = [group for group in groups if group not in same]
        groups.append([other for group in same for other in group] + [hit])
    return groups


def _row(group: list[advisories.Affected], package: locks.Package) -> dict[str, Any]:
    worst = max(group, key=lambda entry: severity.ORDER.index(entry.severity))
    fixed: list[str] = []
    for entry in group:
        try:
            fixed = fixed or advisories.fixes(entry, package.ecosystem, package.version)
        except versions.NotAVersionError:
            continue  # a text among the fixes; the finding stands without it
    return {
        "id": worst.advisory,
        "aliases": sorted(frozenset().union(*(entry.names for entry in group)) - {worst.advisory}),
        "ecosystem": package.ecosystem,
        "package": package.name,
        "version": package.version,
        "severity": worst.severity,
        "summary": next((entry.summary for entry in (worst, *group) if entry.summary), ""),
        "fixed": fixed,
        "file": package.file,
        "line": package.line,
    }


def main(folder: str, project: str, output: str, *names: str) -> int:
    try:
        database = advisories.read(Path(folder))
        packages = locks.read(Path(project), list(names))
    except (advisories.BadAdvisoryError, locks.BadLockError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not database.count:
        sys.stderr.write("there is no advisory in the folder\n")
        return 2
    Path(output).write_text(json.dumps(audit(database, packages), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
