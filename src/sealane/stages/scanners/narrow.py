"""Scanners over what changed: which have something to look at, which files they are given, and which findings count."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from dagger import dag

from sealane.stages.scanners import audits, dependencies, leaks, licences, semgrep, trivy

if TYPE_CHECKING:
    from sealane.stages.project import Project
    from sealane.stages.scanners.scanned import Scanned

_LOCK = "package-lock.json"
_SPECIAL = re.compile(r"[\\*?\[\]{}!#]")
# These judge each file by itself, and are given the changed ones alone.
_BY_FILE = frozenset({semgrep.CODE, semgrep.SECRETS, semgrep.PACKS, leaks.GITLEAKS, leaks.TRUFFLEHOG, trivy.NAME})
_OF_MANIFESTS = frozenset({dependencies.NAME, licences.NAME, audits.PIP_AUDIT, audits.SAFETY, audits.NPM_AUDIT})


def idle(name: str, project: Project) -> str:
    """Why a scanner has nothing to look at, empty when it has something."""
    changes = project.changes
    if changes is None or changes.settings:
        return ""
    if name in _OF_MANIFESTS:
        manifests = dependencies.files(project)
        if name in {audits.PIP_AUDIT, audits.SAFETY}:
            manifests = tuple(f for f in manifests if posixpath.basename(f) != _LOCK)
        return "" if changes.files & {*manifests} else "no requirement or lock file changed"
    return "" if changes.files else "no file changed that is still there"


def seen(name: str, project: Project) -> Project:
    """The project as a scanner is to see it: of one that judges each file by itself the changed ones, and settings."""
    if not _is_narrowed(project) or name not in _BY_FILE:
        return project
    assert project.changes is not None
    files = sorted(project.changes.files)
    own = [f for f in project.files if "/" not in f and f.startswith(".")]
    rules = [path.rstrip("/") for path in project.config.scan.rules]
    include = [*(_SPECIAL.sub(r"\\\g<0>", f) for f in (*files, *own)), *rules]
    return replace(project, source=dag.directory().with_directory("/", project.source, include=include))


def kept(one: Scanned, project: Project) -> Scanned:
    """What a scanner said of files that changed. What manifests pin is said of each of them that changed."""
    if not _is_narrowed(project):
        return one
    assert project.changes is not None
    return replace(one, findings=tuple(f for f in one.findings if project.changes.has(f.file)))


def _is_narrowed(project: Project) -> bool:
    return project.changes is not None and not project.changes.settings
