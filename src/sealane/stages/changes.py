"""What changed since a commit: the files of a project that differ from where its branch parted, by Git in a container."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dagger import dag

from sealane.errors import ConfigError
from sealane.stages import affected, steps
from sealane.stages.affected import Tests
from sealane.stages.git import with_git

if TYPE_CHECKING:
    from collections.abc import Iterable

    import dagger

    from sealane.stages.project import Project

_GIT, _TREE, _BASE = "/scan/git", "/scan/tree", "/scan/base"
_SCRIPT = "/sealane/changed.py"
# What a caller's source may lack though it is committed: nobody took it away.
_LEFT_OUT = ("*.pyc", "*_cache/*", "htmlcov/*", "*/htmlcov/*", ".coverage", "*/.coverage", "out/*")
_FETCH = "fetch its history: `git fetch --unshallow`, or in CI a checkout of full depth (GitHub: `fetch-depth: 0`)"


@dataclass(frozen=True, slots=True)
class Repository:
    """Git's own folder (`.git`), the project's folder in the work tree, and the commit that this tree grew from."""

    directory: dagger.Directory
    path: str = "."
    head: str = "HEAD"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is other than in `commit`, where the tree and `since` part.

    `files` are there, `removed` are not any more. `settings` is why linters and scanners look at everything all the
    same, empty when they don't; `tests` which tests there are to run.
    """

    since: str
    commit: str
    files: frozenset[str]
    removed: frozenset[str] = frozenset()
    settings: str = ""
    tests: Tests = field(default_factory=Tests)

    @property
    def nothing(self) -> str:
        """What to say when there is nothing to look at; empty when there is."""
        return "" if self.files or self.removed else f"nothing changed since {self.since} ({self.commit[:12]})"

    def touches(self, files: Iterable[str]) -> bool:
        return bool(self.settings) or not self.files.isdisjoint(files)

    def has(self, file: str) -> bool:
        """Whether what is said of a file counts; what is said of none always does."""
        return bool(self.settings) or not file or file in self.files

    def said(self) -> str:
        """For the reader of a linter's or scanner's results."""
        where = f"since {self.since} ({self.commit[:12]})"
        if self.settings:
            return f"not narrowed: {self.settings}"
        return f"narrowed: to the {len(self.files)} files that changed {where}"


async def find(project: Project, repository: Repository | None, ref: str) -> Changes:
    """What changed since `ref` and HEAD parted, uncommitted and untracked files included.

    Raises ConfigError (`no-repository`, `unknown-ref`, `no-base`, …), steps.CannotRunError.
    """
    told = await _asked(project, repository, ref)
    removed = frozenset(name for name in told["removed"] if not any(fnmatchcase(name, p) for p in _LEFT_OUT))
    found = Changes(ref, told["base"], frozenset(told["changed"]) & project.files, removed)
    if found.nothing:
        return found
    settings = affected.settings(found.files | removed, project)
    return replace(found, settings=settings, tests=await affected.tests(found.files, removed, project))


async def commit(project: Project, repository: Repository | None, ref: str) -> str:
    """The commit where `ref` and HEAD part. Raises as `find` does."""
    told: str = (await _asked(project, repository, ref))["base"]
    return told


async def tree(repository: Repository, base: str) -> dagger.Directory:
    """The project as it is in a commit that `find` named. Raises steps.CannotRunError."""
    words = ["python", _SCRIPT, "tree", _GIT, _BASE, repository.path, base, _BASE]
    with_tree = (await _with_repository(repository)).with_directory(_BASE, dag.directory()).with_exec(words)
    return (await steps.installed(with_tree, "the base's tree")).directory(f"{_BASE}/{repository.path}")


async def _with_repository(repository: Repository) -> dagger.Container:
    base = await steps.installed(with_git(steps.python()), "git")
    return base.with_new_file(_SCRIPT, steps.script("changed.py")).with_mounted_directory(_GIT, repository.directory)


async def _asked(project: Project, repository: Repository | None, ref: str) -> dict[str, Any]:
    if repository is None:
        raise ConfigError(
            f"what changed since {ref} can't be told: no repository was handed in",
            reason="no-repository",
            hint="Run `sealane call` inside the work tree, or hand in Git's folder: `--git .git` before the function.",
        )
    container = (await _with_repository(repository)).with_mounted_directory(
        f"{_TREE}/{repository.path}".removesuffix("/."), project.source
    )
    words = ["python", _SCRIPT, "changes", _GIT, _TREE, repository.path, repository.head, ref]
    done = await steps.attempt(container, words, keep=False)
    if done.exit_code:
        raise steps.CannotRunError(f"git can't compare with {ref}: {steps.last_lines(done.output, 1)}", done.output)
    told: dict[str, Any] = json.loads(done.stdout)
    if "error" in told:
        raise _refused(told, ref, repository)
    return told


def _refused(told: dict[str, Any], ref: str, repository: Repository) -> ConfigError:
    shallow = bool(told.get("shallow"))
    half = f"The repository is shallow: {_FETCH}."
    match told["error"]:
        case "no-repository":
            message, hint = "what was handed in as the repository is none of Git's", "Hand in Git's own folder, `.git`."
        case "no-head":
            message = f"the repository has no commit {repository.head}"
            hint = half if shallow else "Commit something first, or fetch that commit."
        case "unknown-ref":
            message = f"there is no commit {ref} in the repository, nor a branch of origin with that name"
            hint = half if shallow else f"Fetch it (`git fetch origin {ref}`), or name another."
        case "no-base":
            message = f"{ref} and {repository.head} have no commit in common here"
            hint = half if shallow else "Name a commit that this branch grew from."
        case _:
            message, hint = f"git can't compare with {ref}: {told.get('said', '')}", "Mend the repository."
    return ConfigError(message, reason=told["error"], hint=hint)
