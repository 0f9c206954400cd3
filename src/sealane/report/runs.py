"""What the functions of the module answer with: a pipeline's or a stage's run as report, text and verdict."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sealane import pipeline
from sealane.errors import NotScanned, PipelineFailed, SealaneError, StageFailed
from sealane.gates import evaluate
from sealane.report import build
from sealane.report.text import markdown
from sealane.stages import project
from sealane.stages.result import Outcome

if TYPE_CHECKING:
    import dagger

    from sealane.stages.result import StageResult


async def whole(source: dagger.Directory) -> pipeline.Run:
    """The whole pipeline over `source`. Raises ConfigError."""
    return await pipeline.run(await project.read(source))


async def one(name: str, source: dagger.Directory) -> pipeline.Run:
    """One stage alone, as a run of its own."""
    found = await project.read(source)
    started = time.time()
    result = await pipeline.run_stage(pipeline.BY_NAME[name], found)
    gates = evaluate((result,), found.config.gates.model_copy(update={"coverage": None, "high": None}))
    return pipeline.Run(found, (result,), gates, started, result.seconds)


def directory(run: pipeline.Run) -> dagger.Directory:
    return build.directory(run)


def summary(run: pipeline.Run) -> str:
    return markdown(build.model(run))


def failure(run: pipeline.Run) -> SealaneError | None:
    """The error of a run that did not pass: its summary, so that whoever sees only the error sees what is wrong."""
    if run.passed:
        return None
    if len(run.results) > 1:
        return PipelineFailed(summary(run))
    return _stage_failure(run.results[0], summary(run))


def _stage_failure(result: StageResult, text: str) -> SealaneError:
    return NotScanned(text) if result.outcome is Outcome.NOT_RUN else StageFailed(text)
