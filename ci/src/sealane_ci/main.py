"""The functions of the module: decorators and one-line calls into `sealane`.

No function's result is kept (`cache="never"`): what takes time are the commands inside, and the engine keeps the result
of each of those by its content. A kept function would answer "no network" for a week after one bad minute, and a report
could not say which result came from where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import dagger
from dagger import DefaultPath, Doc, Ignore, check, field, function, object_type

from sealane.pipeline import Run
from sealane.report import runs
from sealane.security import Repository
from sealane.stages import build, codecov, project
from sealane_ci.build import Build, asked_of
from sealane_ci.errors import told

IGNORED = [
    ".git", "**/.venv", "**/node_modules", "**/__pycache__", "**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache",
    "**/.nox", "**/.tox", "**/htmlcov", "**/.coverage", "out", ".sealane-*", ".venv-sealane",
]  # fmt: skip


# Of Git's folder what changes by itself, and what runs: neither says anything of the history.
NO_HISTORY = ["index", "hooks", "logs", "worktrees", "modules", "lfs", "*.lock", "COMMIT_EDITMSG", "gc.pid"]
Since = Annotated[str, Doc("Look only at what changed since this commit or branch and HEAD parted")]
Categories = Annotated[
    list[str] | None, Doc("The tests to run: unit, integration, e2e, performance; left out, those of the configuration")
]


@object_type
class StageRun:
    """One stage's run: what it found, whether it passed or not."""

    name: Annotated[str, Doc("The stage")] = field()
    outcome: Annotated[str, Doc("ran, failed, or not run; with the reason")] = field()
    passed: Annotated[bool, Doc("Whether `assert` will be silent")] = field()
    text: str
    files: dagger.Directory

    @classmethod
    async def of(cls, name: str, asked: runs.Asked, categories: Sequence[str] = (), since: str = "") -> Self:
        with told():
            run = await runs.one(name, asked, categories, since)
            return cls.made(name, run.results[0].verdict, run)

    @classmethod
    def made(cls, name: str, outcome: str, run: Run) -> Self:
        return cls(name=name, outcome=outcome, passed=run.passed, text=runs.summary(run), files=runs.directory(run))

    @function(cache="never")
    def report(self) -> dagger.Directory:
        """The stage's reports and logs, and run.json."""
        return self.files

    @function(cache="never")
    def summary(self) -> str:
        """What the stage found, as Markdown."""
        return self.text

    @function(cache="never")
    def assert_(self) -> None:
        """Fail if the stage did not pass."""
        with told():
            runs.must_have_passed(self.name, passed=self.passed, text=self.text)


@object_type
class Lint(StageRun):
    """A run of lint, and what its tools mend by themselves."""

    source: dagger.Directory
    context: str
    git: dagger.Directory | None = None
    git_path: str = "."
    git_head: str = "HEAD"
    since: str = ""

    @function(cache="never")
    async def fix(self) -> dagger.Changeset:
        """What black, isort, ruff, ESLint and Prettier mend by themselves, to be applied; `lint --fix` for short."""
        with told():
            asked = asked_of(self.source, self.context, self.git, self.git_path, self.git_head)
            return await runs.mended(asked, self.since)


async def must_pass(name: str, asked: runs.Asked) -> None:
    with told():
        runs.passed(await runs.one(name, asked))


@object_type
class Sealane:
    """The pipeline over one source directory."""

    source: Annotated[
        dagger.Directory,
        Doc("The project; its [tool.sealane] in pyproject.toml is the configuration"),
        DefaultPath("/"),
        Ignore(IGNORED),
    ]
    context: Annotated[str, Doc("The run's context as JSON: why it was started and on what")] = ""
    git: Annotated[
        dagger.Directory | None, Doc("Git's folder (.git), to know what changed and since when"), Ignore(NO_HISTORY)
    ] = None
    git_path: Annotated[str, Doc("The project's folder in the work tree")] = "."
    git_head: Annotated[str, Doc("The commit that is checked out")] = "HEAD"

    @property
    def asked(self) -> runs.Asked:
        return asked_of(self.source, self.context, self.git, self.git_path, self.git_head)

    @function(cache="never")
    async def pipeline(self, categories: Categories = None, changed_since: Since = "") -> str:
        """Run every stage and every gate; the summary, or failure with the summary."""
        with told():
            return runs.passed(await runs.whole(self.asked, categories or (), changed_since))

    @function(cache="never")
    async def run(self, categories: Categories = None, changed_since: Since = "") -> str:
        """The same as `pipeline`: Dagger 0.21's command line hides a function of that name."""
        return await self.pipeline(categories, changed_since)

    @function(cache="never")
    async def report(self, categories: Categories = None, changed_since: Since = "") -> dagger.Directory:
        """Run every stage; all reports, logs and run.json. Never fails for what was found."""
        with told():
            return runs.directory(await runs.whole(self.asked, categories or (), changed_since))

    @function(cache="never")
    async def lint(self, changed_since: Since = "") -> Lint:
        """black, isort, flake8, mypy and bandit, and the frontend's lint script."""
        run = await StageRun.of("lint", self.asked, since=changed_since)
        return Lint(**vars(run), **vars(self), since=changed_since)

    @function(cache="never")
    async def test(self, categories: Categories = None, changed_since: Since = "") -> StageRun:
        """Unit tests, integration tests beside services, the frontend's; e2e and performance tests on request."""
        return await StageRun.of("test", self.asked, categories or (), changed_since)

    @function(cache="never")
    async def codecov(
        self,
        token: Annotated[dagger.Secret, Doc("The upload token")],
        slug: Annotated[str, Doc("The repository, as owner/name")],
        commit: Annotated[str, Doc("The commit, whole")],
        branch: Annotated[str, Doc("The branch")],
        service: Annotated[str, Doc("The code host")] = "github",
        url: Annotated[str, Doc("Where Codecov takes uploads")] = codecov.URL,
    ) -> str:
        """Upload the coverage of the tests to Codecov; where it is to be seen."""
        with told():
            target = codecov.Target(slug, commit, branch, service, url)
            return await runs.uploaded(self.asked, token, target)

    @function(cache="never")
    async def scan(self, changed_since: Since = "") -> StageRun:
        """Semgrep over the code, and secrets over every file."""
        return await StageRun.of("scan", self.asked, since=changed_since)

    @function(cache="never")
    async def build(self) -> Build:
        """The Dockerfile into an image, which is started and must be healthy; what it is, and publishing it."""
        return Build(
            source=self.source, context=self.context, git=self.git, git_path=self.git_path, git_head=self.git_head
        )

    @function(cache="never")
    async def sbom(self) -> StageRun:
        """What is in the image, as SPDX JSON."""
        return await StageRun.of("sbom", self.asked)

    @function(cache="never")
    async def image(self) -> dagger.Container:
        """The image alone, neither started nor tested."""
        with told():
            return await build.image(await project.read(self.source, self.context))

    @function(cache="never")
    async def image_scan(self) -> StageRun:
        """The scanners of scan.image-scanners over the image."""
        return await StageRun.of("image-scan", self.asked)

    @function(cache="never")
    async def security(
        self,
        repository: Annotated[
            dagger.Directory, Doc("The repository, with .git"), DefaultPath("/"), Ignore(["*", "!.git"])
        ],
        base: Annotated[str, Doc("The commit that HEAD is compared with; empty compares nothing")] = "main",
        path: Annotated[str, Doc("The project's folder in the repository")] = ".",
        snyk_token: Annotated[dagger.Secret | None, Doc("Without it Snyk does not scan the image")] = None,
    ) -> StageRun:
        """The nightly look: dependencies against base, the image, and secrets in base..HEAD and all of the history."""
        with told():
            run = await runs.secured(self.source, self.context, Repository(repository, base, path), snyk_token)
            return StageRun.made("security", "passed" if run.passed else "did not pass", run)

    @function(cache="never")
    @check
    async def check_lint(self) -> None:
        """Fail if lint does not pass."""
        await must_pass("lint", self.asked)

    @function(cache="never")
    @check
    async def check_test(self) -> None:
        """Fail if test does not pass."""
        await must_pass("test", self.asked)

    @function(cache="never")
    @check
    async def check_scan(self) -> None:
        """Fail if scan does not pass."""
        await must_pass("scan", self.asked)

    @function(cache="never")
    @check
    async def check_build(self) -> None:
        """Fail if build does not pass."""
        await must_pass("build", self.asked)

    @function(cache="never")
    @check
    async def check_sbom(self) -> None:
        """Fail if sbom does not pass."""
        await must_pass("sbom", self.asked)
