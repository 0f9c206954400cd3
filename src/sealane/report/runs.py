"""What the functions of the module answer with: a pipeline's or a stage's run as report, text and verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sealane import pipeline, security
from sealane.errors import PipelineFailed, StageFailed
from sealane.report import build
from sealane.report.text import markdown
from sealane.stages import changes, codecov, project
from sealane.stages.lint import mend

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dagger

    from sealane.stages.changes import Repository


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is over, and on whose behalf (JSON, see `vendors`); where it comes from, when that is known."""

    source: dagger.Directory
    context: str = ""
    repository: Repository | None = None


async def whole(asked: Asked, categories: Sequence[str] = (), since: str = "") -> pipeline.Run:
    """The whole pipeline, with the tests of these categories, narrowed to what changed `since`. Raises ConfigError."""
    return await pipeline.run(await _project(asked, categories, since))


async def one(name: str, asked: Asked, categories: Sequence[str] = (), since: str = "") -> pipeline.Run:
    """One stage alone, as a run of its own."""
    return await pipeline.run_alone(name, await _project(asked, categories, since))


async def mended(asked: Asked, since: str = "") -> dagger.Changeset:
    """What the linters' tools mend by themselves, in files that changed `since`. Raises ConfigError, StageFailed."""
    return await mend.changes(await _project(asked, since=since))


async def uploaded(asked: Asked, token: dagger.Secret, target: codecov.Target) -> str:
    """Coverage of the tests, sent to Codecov; where it is to be seen. Raises StageFailed."""
    found = await _project(asked)
    run = await pipeline.run_alone("test", found)
    return await codecov.upload(run.results[0], found, token, target)


async def _project(asked: Asked, categories: Sequence[str] = (), since: str = "") -> project.Project:
    found = await project.read(asked.source, asked.context)
    found = replace(found, config=found.config.with_categories(categories), repository=asked.repository)
    return replace(found, changes=await changes.find(found, asked.repository, since)) if since else found


async def secured(
    source: dagger.Directory, context: str, repository: security.Repository, token: dagger.Secret | None
) -> pipeline.Run:
    """The nightly look at security, over `source`."""
    return await security.run(await project.read(source, context), repository, token)


def directory(run: pipeline.Run) -> dagger.Directory:
    return build.directory(run)


def summary(run: pipeline.Run) -> str:
    """What a caller sees at once: an engine's events are only known when the run is over, and go into the report."""
    return markdown(build.model(run), steps=False)


def passed(run: pipeline.Run) -> str:
    """The summary of a run that passed. Raises PipelineFailed with the summary as its message."""
    text = summary(run)
    if not run.passed:
        raise PipelineFailed(text)
    return text


def must_have_passed(stage: str, *, passed: bool, text: str) -> None:
    """Raises StageFailed with the stage's summary."""
    if not passed:
        raise StageFailed(f"{stage} did not pass\n{text}")
