"""What is in a source directory: its configuration, its Python and Node parts, its tests, its Dockerfile."""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sealane.config import Config
from sealane.config.read import parse
from sealane.config.stages import LintTool
from sealane.stages import pythons
from sealane.vendors.model import Context

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import dagger

    from sealane.stages.changes import Changes, Repository

# Folders that hold no code of the project's own, wherever they are.
FOREIGN = frozenset(
    {".git", ".venv", "venv", ".tox", ".nox", "node_modules", "__pycache__", "build", "dist", "site-packages", ".eggs"}
)
_TEST_FOLDERS = ("tests", "test")
_NOT_PACKAGES = frozenset({"tests", "test", "docs", "doc", "examples", "benchmarks", "tools", "scripts"})
_REQUIREMENTS = ("requirements.txt", "requirements/base.txt", "requirements/requirements.txt")
_TEST_REQUIREMENTS = (
    "requirements-test.txt",
    "requirements-tests.txt",
    "test-requirements.txt",
    "requirements/test.txt",
    "requirements/tests.txt",
    "tests/requirements.txt",
    "test/requirements.txt",
    "requirements_test.txt",
    "requirements_tests.txt",
    "test_requirements.txt",
    "requirements-dev.txt",
    "requirements_dev.txt",
    "dev-requirements.txt",
    "requirements/dev.txt",
)
_READ = ("setup.py", "setup.cfg", "tox.ini", ".coveragerc", ".pre-commit-config.yaml")  # besides pyproject.toml
_BUILT = re.compile(r"^(?:src/)?[^/]+\.egg-info/requires\.txt$")  # what a setup.py said when it last ran
_MEASURED = re.compile(r"^\s*(?:source|source_pkgs|include)\s*=", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Project:
    """A source directory and what was found in it. Paths are relative to it, with `/`.

    `texts` are files of settings by name, as far as they are there. `changes` narrow what lint, test and scan look at;
    `repository` is where it can be told what changed.
    """

    source: dagger.Directory
    config: Config
    files: frozenset[str]
    python: tuple[str, ...]
    pyproject: dict[str, Any]
    context: Context = field(default_factory=lambda: Context.from_json(""))
    texts: Mapping[str, str] = field(default_factory=dict)
    changes: Changes | None = None
    repository: Repository | None = None

    def has(self, path: str) -> bool:
        return path in self.files

    def has_folder(self, path: str) -> bool:
        prefix = path.rstrip("/") + "/"
        return any(f.startswith(prefix) for f in self.files)

    def sets(self, tool: str) -> bool:
        """Whether the project has settings of its own for a tool."""
        names = (f".{tool}.cfg", f".{tool}", f".{tool}.toml", f"{tool}.toml", f"{tool}.ini")
        if tool in self.pyproject.get("tool", {}) or any(self.has(name) for name in names):
            return True
        return any(f"[{tool}" in self.texts.get(name, "") for name in ("setup.cfg", "tox.ini"))

    @property
    def lint_tools(self) -> tuple[LintTool, ...]:
        """The linters: those of the configuration; else the usual ones, with ruff instead of what a project uses it for."""
        tools = self.config.lint.tools
        if "tools" in self.config.lint.model_fields_set or not self.sets("ruff"):
            return tools
        kept = tuple(t for t in tools if t not in {"black", "isort", "flake8"} or self.sets(t))
        formats = () if "black" in kept else ("ruff-format",)
        return tuple(dict.fromkeys((*formats, "ruff", *kept)))

    @property
    def says_what_is_measured(self) -> bool:
        """Whether the project's settings of coverage say what it looks at: naming it once more would contradict them."""
        run = self.pyproject.get("tool", {}).get("coverage", {}).get("run", {})
        if {"source", "source_pkgs", "include"} & run.keys():
            return True
        return any(
            _MEASURED.search(part.partition("\n[")[0])
            for name, text in self.texts.items()
            for part in re.split(r"^\[(?:coverage:)?run\]", text, flags=re.MULTILINE)[1:]
            if name != "setup.py"
        )

    @property
    def packages(self) -> tuple[str, ...]:
        """Folders (or lone modules) with the project's own code: `backend`, `src/name`, `module.py`."""
        tops = {posixpath.dirname(f) for f in self.python if posixpath.basename(f) == "__init__.py"}
        found = {t for t in tops if t and posixpath.dirname(t) in {"", "src"} and not _is_apart(t)}
        if not found:
            found = {f for f in self.python if posixpath.dirname(f) in {"", "src"} and not _is_script(f)}
        return tuple(sorted(found))

    @property
    def unit_tests(self) -> tuple[str, ...]:
        if self.config.test.unit is not None:
            return self.config.test.unit
        for folder in _TEST_FOLDERS:
            if self._tests_in(f"{folder}/unit"):
                return (f"{folder}/unit/",)
        for folder in _TEST_FOLDERS:
            if self._tests_in(folder) and not self._tests_in(f"{folder}/integration"):
                return (f"{folder}/",)
        if self.integration_tests:
            return ()
        loose = {posixpath.dirname(f) or f for f in self.python if _is_test(f)}
        return tuple(sorted(f for f in loose if not any(f != o and f.startswith(o + "/") for o in loose)))

    @property
    def integration_tests(self) -> tuple[str, ...]:
        if self.config.test.integration is not None:
            return self.config.test.integration
        return tuple(f"{f}/integration/" for f in _TEST_FOLDERS if self._tests_in(f"{f}/integration"))

    @property
    def e2e_tests(self) -> tuple[str, ...]:
        if self.config.test.e2e is not None:
            return self.config.test.e2e
        return tuple(f"{f}/e2e/" for f in _TEST_FOLDERS if self._tests_in(f"{f}/e2e"))

    @property
    def locustfile(self) -> str | None:
        """What makes the load of the performance tests."""
        if self.config.test.performance.file is not None:
            return self.config.test.performance.file
        places = [f"{f}/performance/locustfile.py" for f in _TEST_FOLDERS]
        return next((place for place in (*places, "locustfile.py") if self.has(place)), None)

    def _tests_in(self, folder: str) -> bool:
        return any(f.startswith(folder + "/") and _is_test(f) for f in self.python)

    @property
    def requirements(self) -> tuple[str, ...]:
        """What the code itself needs."""
        return self._first(_REQUIREMENTS)

    @property
    def test_requirements(self) -> tuple[str, ...]:
        if self.config.test.requirements is not None:
            return self.config.test.requirements
        return tuple(dict.fromkeys((*self.requirements, *self._first(_TEST_REQUIREMENTS))))

    def _first(self, names: Iterable[str]) -> tuple[str, ...]:
        return next(((name,) for name in names if self.has(name)), ())

    @property
    def installable(self) -> bool:
        """Whether `pip install .` means something here: a pyproject.toml of tool settings alone is not a package."""
        return self.has("setup.py") or "project" in self.pyproject or "build-system" in self.pyproject

    @property
    def frontend(self) -> str | None:
        """The folder with `package.json` (`.` is the root), or None."""
        frontend = self.config.frontend
        if not frontend.enabled:
            return None
        if frontend.path is not None:
            return frontend.path
        return next((f for f in (".", "frontend") if self.has(posixpath.normpath(f"{f}/package.json"))), None)

    async def node_scripts(self) -> frozenset[str]:
        """The names of the scripts in `package.json`."""
        if self.frontend is None:
            return frozenset()
        try:
            package = json.loads(await self.source.file(f"{self.frontend}/package.json").contents())
            return frozenset(package.get("scripts", {}))
        except (ValueError, AttributeError):
            return frozenset()


def _is_test(path: str) -> bool:
    name = posixpath.basename(path)
    return name.startswith("test_") or name.endswith("_test.py")


def _is_script(path: str) -> bool:
    return posixpath.basename(path) in {"setup.py", "conftest.py", "noxfile.py", "__init__.py"} or _is_test(path)


def _is_apart(folder: str) -> bool:
    return posixpath.basename(folder) in _NOT_PACKAGES


async def read(source: dagger.Directory, context: str = "") -> Project:
    """Look into `source`, which the context (JSON) says where it is from. Raises ConfigError when its configuration can't work."""
    listed = await source.glob("**")
    files = frozenset(f for f in listed if not f.endswith("/") and FOREIGN.isdisjoint(f.split("/")))
    pyproject = await _contents(source, files, "pyproject.toml")
    config = parse(pyproject, await _contents(source, files, "sealane.toml"))
    python = tuple(sorted(f for f in files if f.endswith(".py")))
    texts = {name: text for name in _READ if (text := await _contents(source, files, name)) is not None}
    if built := next((f for f in sorted(files) if _BUILT.match(f)), ""):
        texts["requires.txt"] = await _contents(source, files, built) or ""
    table = tomllib.loads(pyproject) if pyproject else {}
    if "python" not in config.model_fields_set:
        config = config.model_copy(update={"python": pythons.chosen(config.python, pythons.requires(table, texts))})
    return Project(source, config, files, python, table, Context.from_json(context), texts)


async def _contents(source: dagger.Directory, files: frozenset[str], name: str) -> str | None:
    return await source.file(name).contents() if name in files else None
