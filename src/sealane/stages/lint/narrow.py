"""Linters over what changed: which of them have something to look at, what they are told, and which findings count.

A linter that judges each file by itself is told the changed ones. The others look at the whole project, for what they
say of one file follows from others; what they say of unchanged files is left out.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealane.config.stages import LintTool
    from sealane.stages.lint.part import Part
    from sealane.stages.lint.table import Tool, Words
    from sealane.stages.project import Project

_OF_THE_WHOLE = "duplication"  # a share of all lines, that some of them can't have


def wanted(name: LintTool, tool: Tool, project: Project) -> bool:
    """Whether there is something for it to look at, which changed where that is asked for."""
    looked = tool.looks(project)
    return bool(looked) and (project.changes is None or project.changes.touches(_of(name, tool, project, looked)))


def _of(name: LintTool, tool: Tool, project: Project, looked: Words) -> Words:
    """The files that decide: of a tool that is told files, those in the paths that it would be told else."""
    if not tool.by_file or name in project.config.lint.args:
        return looked
    words = tool.arguments(project)
    return tuple(file for file in looked if any(_inside(file, word) for word in words))


def words(tool: Tool, project: Project, given: Words) -> Words:
    """A tool's arguments with the changed files in place of the paths among them."""
    if not tool.by_file or project.changes is None or project.changes.settings:
        return given
    found: list[str] = []
    for word in given:
        if not _is_path(word, project):
            found.append(word)
        else:
            found += [name for name in tool.looks(project) if name in project.changes.files and _inside(name, word)]
    return tuple(dict.fromkeys(found))


def kept(part: Part, project: Project) -> Part:
    """What a tool said of files that changed."""
    changes = project.changes
    if changes is None or changes.settings:
        return part
    findings = tuple(finding for finding in part.findings if changes.has(finding.file))
    figures = {name: value for name, value in part.figures.items() if name != _OF_THE_WHOLE}
    cleared = bool(part.findings) and not findings
    return replace(part, findings=findings, figures=figures, clean=(part.clean or cleared) and not part.broken)


def _is_path(word: str, project: Project) -> bool:
    name = posixpath.normpath(word)
    return not word.startswith("-") and (name == "." or project.has(name) or project.has_folder(name))


def _inside(name: str, word: str) -> bool:
    folder = posixpath.normpath(word)
    return folder in {".", name} or name.startswith(f"{folder}/")
