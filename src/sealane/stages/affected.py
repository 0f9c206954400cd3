"""Which tests a change concerns: those that changed, and those from which imports lead to what changed.

What no import leads to (settings, requirements, data, a conftest) concerns every test; what no test reads, none.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sealane.stages import steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sealane.stages.project import Project

_ANYTHING, _COMMAND = "*", "!"  # see scripts/imports.py
_ONCE_FOR_ALL = frozenset({"conftest.py", "setup.py"})
_SCRIPT, _LIST = "/sealane/imports.py", "/sealane/files.txt"
_PROSE = re.compile(r"^([^/]+|docs?/.*)\.(md|rst|adoc)$")
_ASIDE = re.compile(
    r"^(\.github/|\.gitlab/|\.circleci/|\.vscode/|\.idea/)|(^|/)(\.gitignore|\.gitattributes|\.editorconfig)$"
    r"|^(LICEN[CS]E|NOTICE|AUTHORS|CHANGELOG|CHANGES|CONTRIBUTORS)[^/]*$|^\.(gitlab-ci|pre-commit-config|travis)\.ya?ml$"
)
_IMAGES = re.compile(r"(^|/)(Dockerfile|Containerfile)(\.[\w.-]+)?$|(^|/)\.dockerignore$")
_SETTINGS = re.compile(
    r"^(pyproject\.toml|sealane\.toml|setup\.cfg|setup\.py|tox\.ini|mypy\.ini|pylintrc|ruff\.toml"
    r"|\.(?!gitignore$|gitattributes$|editorconfig$|env|gitlab-ci|pre-commit|travis)[^/]+)$"
    r"|(^|/)(package(-lock)?\.json|eslint\.config\.\w+|\.eslintrc[^/]*|\.prettierrc[^/]*|\.prettierignore|tsconfig[^/]*\.json)$"
)
_MANIFEST = re.compile(
    r"(^|/)[^/]*requirements[^/]*\.(txt|in|lock)$|(^|/)requirements/[^/]+$|(^|/)[^/]*constraints[^/]*\.txt$"
)
# Where pytest finds tests by names of the project's own, or in other files than tests, files can't be told apart here.
_OWN_NAMES = re.compile(r"python_files|doctest[-_](modules|glob)")
_PYTEST = ("pytest.ini", ".pytest.ini", "setup.cfg", "tox.ini", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Tests:
    """`everything` is why all tests run; else only those in `files` do, the frontend's if `frontend`, and those of the
    running application if `application`.
    """

    __test__: ClassVar[bool] = False  # not a pytest class

    everything: str = ""
    files: frozenset[str] = frozenset()
    frontend: bool = False
    application: bool = False

    @property
    def narrowed(self) -> bool:
        return not self.everything

    @property
    def talks(self) -> bool:
        """Whether the tests that talk to the running application run."""
        return bool(self.everything) or self.application

    @property
    def fronts(self) -> bool:
        return bool(self.everything) or self.frontend

    def within(self, paths: Iterable[str], project: Project) -> tuple[str, ...]:
        """Of the tests in these folders (or files) those that are to run."""
        paths = tuple(paths)
        if self.everything:
            return paths
        folders = [posixpath.normpath(path) for path in paths]
        return tuple(f for f in project.python if f in self.files and any(inside(f, folder) for folder in folders))


def settings(changed: Iterable[str], project: Project) -> str:
    """Why linters and scanners must look at everything: their settings changed, or what the code is checked against."""
    own = (*project.config.scan.rules, *filter(None, [project.config.scan.advisories]))
    for name in sorted(changed):
        if _SETTINGS.search(name) or any(inside(name, posixpath.normpath(path)) for path in own):
            return f"{name} changed, which says how to look"
        if _MANIFEST.search(name):
            return f"{name} changed, against which the code is checked"
    return ""


async def tests(changed: frozenset[str], removed: frozenset[str], project: Project) -> Tests:
    """Which tests to run. Asks a container what the project's files import, when that decides."""
    concerning = sorted(name for name in changed | removed if not (_ASIDE.search(name) or _PROSE.search(name)))
    if not concerning:
        return Tests()
    front = [name for name in concerning if _of_frontend(name, project)]
    images = [name for name in concerning if _IMAGES.search(name) and name not in front]
    code = [name for name in concerning if name not in front and name not in images]
    for name in code:
        if not name.endswith(".py") or posixpath.basename(name) in _ONCE_FOR_ALL:
            return Tests(f"{name} changed, and no import tells whom that concerns")
    why = await _names_its_own(project)
    if why and code:
        return Tests(why)
    reached: frozenset[str] = frozenset()
    if code:
        graph = await _imports(project)
        broken = next((name for name, names in graph.items() if names is None), "")
        if broken:
            return Tests(f"{broken} can't be read as Python, so nobody knows what it imports")
        reached = reaching(code, graph, _scripts(project))
    files = frozenset(name for name in reached if is_test(name))
    own = tuple(map(posixpath.normpath, (*project.unit_tests, *project.integration_tests)))
    application = any(not any(inside(name, folder) for folder in own) for name in concerning)
    return Tests(files=files, frontend=bool(front), application=application)


def reaching(
    changed: Iterable[str], graph: Mapping[str, list[str] | None], scripts: Mapping[str, str]
) -> frozenset[str]:
    """The changed files, and all from which names lead to one of them, a conftest counting for what lies below it."""
    by_name: dict[str, set[str]] = {}
    changed = frozenset(changed)
    for name in {*graph, *changed}:
        for module in _modules(name):
            by_name.setdefault(module, set()).add(name)
    conftests = [name for name in graph if posixpath.basename(name) == "conftest.py"]
    into: dict[str, set[str]] = {}
    for name, named in graph.items():
        words = [scripts.get(word[1:], "") if word.startswith(_COMMAND) else word for word in named or ()]
        targets = {target for word in words for target in by_name.get(word, ())}
        targets |= {each for each in conftests if inside(name, posixpath.dirname(each))}
        for target in {*graph, *changed} if _ANYTHING in words else targets:
            into.setdefault(target, set()).add(name)
    found, waiting = set(changed), list(changed)
    while waiting:
        more = into.get(waiting.pop(), set()) - found
        found |= more
        waiting += more
    return frozenset(found)


def _modules(path: str) -> list[str]:
    """Every name that a file may be imported by: from wherever among its folders the path of modules begins."""
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        parts.pop()
    return [".".join(parts[at:]) for at in range(len(parts))]


def inside(name: str, folder: str) -> bool:
    return folder in {"", "."} or name == folder or name.startswith(f"{folder}/")


def is_test(path: str) -> bool:
    name = posixpath.basename(path)
    return name.startswith("test_") or name.endswith("_test.py")


def _of_frontend(name: str, project: Project) -> bool:
    return project.frontend not in {None, "."} and inside(name, str(project.frontend))


def _scripts(project: Project) -> dict[str, str]:
    """The commands that the project installs, each with its module."""
    table: dict[str, Any] = project.pyproject.get("project", {})
    rows = {**table.get("scripts", {}), **table.get("gui-scripts", {})}
    return {name: str(target).partition(":")[0] for name, target in rows.items()}


async def _names_its_own(project: Project) -> str:
    for name in _PYTEST:
        if project.has(name) and _OWN_NAMES.search(await project.source.file(name).contents()):
            return f"{name} says itself which files have tests"
    return ""


async def _imports(project: Project) -> dict[str, list[str] | None]:
    """What each Python file names, as the project's own Python reads it."""
    container = steps.python(project.config).with_new_file(_SCRIPT, steps.script("imports.py"))
    container = container.with_new_file(_LIST, "".join(f"{name}\n" for name in project.python))
    container = container.with_mounted_directory(steps.SOURCE, project.source)
    done = await steps.attempt(container, ["python", _SCRIPT, steps.SOURCE, _LIST], keep=False)
    if done.exit_code:
        raise steps.CannotRunError(f"what imports what can't be read: {steps.last_lines(done.output, 1)}", done.output)
    told: dict[str, list[str] | None] = json.loads(done.stdout)
    return told
