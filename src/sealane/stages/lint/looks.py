"""What the linters look at: a project's files by kind, and whether it has settings of its own for a tool."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealane.stages.project import Project

_DOCKERFILE = re.compile(r"(^|/)(Dockerfile|Containerfile)(\.[\w.-]+)?$|\.(Dockerfile|dockerfile)$")
_NOT_DOCKERFILES = (".dockerignore", ".md", ".txt", ".j2")
_WORKFLOW = re.compile(r"^\.github/workflows/[^/]+\.ya?ml$")
_SCRIPTS = (".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx")
_STYLES = (".css", ".scss", ".sass", ".less")
_PRETTIER = re.compile(r"^(prettier\.config\.[cm]?[jt]s|\.prettierrc(\.\w+)?)$")
# Others' code, brought along.
_VENDORED = frozenset({"vendor", "vendored", "_vendor", "bower_components", "third_party"})
_SHELLS = (".sh", ".bash", ".ksh", ".dash")
_ESLINT = re.compile(r"^(eslint\.config\.[cm]?[jt]s|\.eslintrc(\.\w+)?)$")


def python(project: Project) -> tuple[str, ...]:
    return project.python


def dockerfiles(project: Project) -> tuple[str, ...]:
    return tuple(sorted(f for f in project.files if _DOCKERFILE.search(f) and not f.lower().endswith(_NOT_DOCKERFILES)))


def workflows(project: Project) -> tuple[str, ...]:
    return tuple(sorted(f for f in project.files if _WORKFLOW.match(f)))


def shell(project: Project) -> tuple[str, ...]:
    """Scripts by their ending: which files without one are scripts is only written inside them."""
    return tuple(sorted(f for f in project.files if f.endswith(_SHELLS)))


def scripts(project: Project) -> tuple[str, ...]:
    """JavaScript and TypeScript of the Node part."""
    if project.frontend is None:
        return ()
    prefix = "" if project.frontend == "." else f"{project.frontend}/"
    found = (f for f in project.files if f.startswith(prefix) and f.endswith(_SCRIPTS))
    return tuple(sorted(f for f in found if not _is_foreign(f)))


def _is_foreign(path: str) -> bool:
    """Whether it is someone else's, or made by a program."""
    return ".min." in posixpath.basename(path) or not _VENDORED.isdisjoint(path.split("/")[:-1])


def foreign(*, tests: bool = False) -> tuple[str, ...]:
    """Patterns over whole paths of what is not the project's own, for tools that are told folders; with its tests."""
    folders = (*sorted(_VENDORED), *(("test", "tests") if tests else ()))
    return ("*.min.*", *(f"*/{name}/*" for name in folders))


def formatted(project: Project) -> tuple[str, ...]:
    """What Prettier formats, relative to the Node part: all of it. Where that is a Python project that has not chosen
    Prettier, its scripts and styles: its templates are no HTML yet, and its documents nobody's to format.
    """
    chosen = any(
        posixpath.dirname(f) == _folder(project) and _PRETTIER.match(posixpath.basename(f)) for f in project.files
    )
    if project.frontend != "." or not project.python or chosen:
        return (".",)
    styles = (f for f in project.files if f.endswith(_STYLES) and not _is_foreign(f))
    return (*scripts(project), *sorted(styles))


def node_part(project: Project) -> tuple[str, ...]:
    """Its `package.json`, when there is one."""
    found = () if project.frontend is None else (posixpath.normpath(f"{project.frontend}/package.json"),)
    return tuple(f for f in found if project.has(f))


def code(project: Project) -> tuple[str, ...]:
    return (*project.python, *scripts(project))


def is_test(path: str) -> bool:
    folders = set(path.split("/")[:-1])
    return bool(folders & {"test", "tests", "__tests__"}) or ".test." in path or ".spec." in path


def sets_pylint(project: Project) -> bool:
    return any(project.has(name) for name in ("pylintrc", ".pylintrc", ".pylintrc.toml")) or project.sets("pylint")


def sets_eslint(project: Project) -> bool:
    return any(posixpath.dirname(f) == _folder(project) and _ESLINT.match(posixpath.basename(f)) for f in project.files)


def _folder(project: Project) -> str:
    return "" if project.frontend in {None, "."} else str(project.frontend)
