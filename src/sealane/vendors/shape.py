"""The shapes of a wrapper: one job or one per stage, on which systems, and on which engine."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from sealane.errors import UsageError

if TYPE_CHECKING:
    from sealane.config import CiConfig

EMBEDDED, DOCKER, KUBERNETES = "embedded", "docker", "kubernetes"
ENGINES = (EMBEDDED, DOCKER, KUBERNETES)

# Where no job can have the Docker that starts a Dagger engine, which is a privileged container, and why.
WITHOUT_DOCKER = {
    "bitbucket": "its Docker service refuses privileged containers",
    "woodpecker": "its steps are containers without Docker",
    "tekton": "its steps are containers without Docker",
    "argo": "its steps are containers without Docker",
}

# What has a cache of its own that a wrapper can use, and what it says there: `sealane_engine.transfer`'s format is in the
# name, so that no engine is given what it can't read.
CACHED = ("github", "gitlab", "circleci", "azure", "bitbucket", "codebuild")
CACHE, CACHE_FOLDER, CACHE_VARIABLE = "sealane-1", ".sealane-cache", "SEALANE_CACHE"
# Bitbucket's takes 1 GB. GitHub's has 10 GB for all of a repository, GitLab.com's 5 GB; the others' bounds are a plan's.
CACHE_LIMITS = {"bitbucket": 900_000_000}

# Where a job of the split shape can't have the others' files.
ALONE = ("codebuild",)
# What runs `security` apart from all else, whatever the shape.
OWN_SECURITY = ("github", "bitbucket")
# Where nothing can come after the gates, or nobody can be asked in between: there a person deploys by other means.
WITHOUT_APPROVAL = ("codebuild", "tekton", "woodpecker")
GATES, DEPLOY = "gates", "deploy-"

# The version whose answers this project is tested against.
_DAGGER = "0.21.8"
_INSTALL = (
    "curl -fsSL https://dl.dagger.io/dagger/install.sh -o .sealane-install",
    f"DAGGER_VERSION={_DAGGER} BIN_DIR=.sealane-bin sh .sealane-install",
)

# The axis of GitHub's matrix. What has no Linux can't run the engine, and says "not run".
SYSTEMS = ("ubuntu-24.04", "macos-15", "windows-2025")


@dataclass(frozen=True, slots=True)
class Job:
    """One job of a wrapper: what it waits for and runs; on which systems, where it is one of a matrix."""

    name: str
    commands: list[str]
    needs: tuple[str, ...] = ()
    suffix: str = ""
    systems: tuple[str, ...] = ()
    out: str = "out"
    environment: str = ""
    approved: bool = False

    @property
    def judges(self) -> bool:
        """Whether it collects the others' reports, and runs though one of them failed."""
        return self.name == GATES

    @property
    def lines(self) -> list[str]:
        """The commands, each for a step of its own: what sets things up is one."""
        return [" && ".join(self.commands[:-1]), self.commands[-1]] if self.commands[1:] else self.commands

    @property
    def title(self) -> str:
        return self.name.replace("-", " ").capitalize()

    @property
    def ref(self) -> str:
        return self.ref_of(self.name)

    @staticmethod
    def ref_of(name: str) -> str:
        """The name where a vendor allows no dash."""
        return name.replace("-", "_")

    @property
    def always(self) -> str:
        """GitHub's condition of a step that keeps what there is, though the job failed."""
        return "always() && runner.os == 'Linux'" if self.systems else "always()"


@dataclass(frozen=True, slots=True)
class Shape:
    split: bool = False
    matrix: bool = False
    engine: str = EMBEDDED

    @classmethod
    def read(cls, words: list[str]) -> Self:
        """From the words that `words` gives. What is none of them counts as not said."""
        parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
        parser.add_argument("--split", action="store_true")
        parser.add_argument("--matrix", action="store_true")
        parser.add_argument("--engine", choices=ENGINES, default=EMBEDDED)
        try:
            said, _ = parser.parse_known_args(words)
        except argparse.ArgumentError:
            return cls()
        return cls(said.split, said.matrix, said.engine)

    @property
    def words(self) -> list[str]:
        """How the command line says it."""
        named = [] if self.engine == EMBEDDED else ["--engine", self.engine]
        return ["--split"] * self.split + ["--matrix"] * self.matrix + named

    def checked(self, vendor: str) -> Self:
        """Raises UsageError (`no-such-shape`) for what the vendor can't have."""
        if self.matrix and vendor != "github":
            raise UsageError(
                f"{vendor} has no matrix of systems here: its runners are Linux alone",
                reason="no-such-shape",
                hint="Versions of Python are the test stage's own matrix on every vendor (test.matrix).",
            )
        if self.engine == DOCKER and vendor in WITHOUT_DOCKER:
            raise UsageError(
                f"{vendor} can't start a Dagger engine: {WITHOUT_DOCKER[vendor]}",
                reason="no-such-shape",
                hint="Use --engine kubernetes for an engine that runs elsewhere, or the embedded one.",
            )
        return self

    @property
    def ahead(self) -> tuple[str, ...]:
        """What a job runs first."""
        return () if self.engine == EMBEDDED else _INSTALL

    def environ(self, config: CiConfig, *, cached: bool) -> str:
        """What stands before the command: variables for it alone."""
        if self.engine == EMBEDDED:
            return f"{CACHE_VARIABLE}={CACHE_FOLDER} " if cached else ""
        where = f"_EXPERIMENTAL_DAGGER_RUNNER_HOST={config.runner_host} " if self.engine == KUBERNETES else ""
        return f"SEALANE_ENGINE=dagger {where}"


def jobs(vendor: str, shape: Shape, commands: Callable[[str], list[str]]) -> list[Job]:
    """The jobs that an event may start, `gates` after all stages."""
    if not shape.split:
        return [_job(Job("pipeline", commands("")), shape)]
    from sealane.pipeline import STAGES

    def made(name: str, needs: tuple[str, ...] = ()) -> Job:
        return _job(Job(name, commands(f"--only {name}"), needs, f"-{name}", out=f"out/{name}"), shape)

    found = [made(stage.name, stage.needs) for stage in STAGES]
    found += [] if vendor in OWN_SECURITY else [made("security")]
    gates = replace(made(GATES, tuple(stage.name for stage in STAGES)), out="out")
    return found if vendor in ALONE else [*found, gates]


def deployments(vendor: str, config: CiConfig, after: Job, commands: Callable[[str], list[str]]) -> list[Job]:
    """One job for each environment, each after the one before; all but the first wait for a person."""
    made: list[Job] = []
    if config.deploy and vendor not in WITHOUT_APPROVAL:
        for name in config.environments:
            before = (made[-1] if made else after).name
            words = commands(f"--only {DEPLOY}{name}")
            made.append(Job(f"{DEPLOY}{name}", words, (before,), environment=name, approved=bool(made)))
    return made


def _job(job: Job, shape: Shape) -> Job:
    if not shape.matrix or job.name not in ("pipeline", "test"):
        return job
    return replace(job, suffix=f"{job.suffix}-${{{{ matrix.system }}}}", systems=SYSTEMS)
