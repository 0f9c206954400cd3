"""The nightly look at security: what dependencies changed, the image, and secrets in all of the repository's history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sealane import pipeline
from sealane.config.gates import MERGE_BASE
from sealane.gates.rules import without_bounds
from sealane.pipeline import Stage
from sealane.stages import build, image_scan, scan
from sealane.stages.scanners import leaks, review, snyk

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagger

    from sealane.stages.project import Project
    from sealane.stages.result import StageResult

REVIEW, SECRETS = "dependency-review", "secrets"


@dataclass(frozen=True, slots=True)
class Repository:
    """Where the project comes from: a directory with `.git`, the project's folder in it, and the commit that `HEAD` is
    compared with.
    """

    directory: dagger.Directory
    base: str = ""
    path: str = "."


async def run(project: Project, repository: Repository, token: dagger.Secret | None = None) -> pipeline.Run:
    """All of it, each to its end, whatever the configuration says of stages. `token` is Snyk's.

    It compares with a base by itself: a baseline of the merge base makes nothing known here.
    """
    gates = without_bounds(project.config.gates)
    if gates.baseline == MERGE_BASE:
        gates = gates.model_copy(update={"baseline": None})
    config = project.config.model_copy(update={"gates": gates})
    return await pipeline.run(replace(project, config=config), _graph(repository, token))


def _graph(repository: Repository, token: dagger.Secret | None) -> tuple[Stage, ...]:
    async def changes(project: Project, _: Mapping[str, StageResult]) -> StageResult:
        base = await _base(repository)
        return scan.result_of(REVIEW, [await scan.guarded(review.NAME, review.run(project, base))], project)

    async def images(project: Project, _: Mapping[str, StageResult]) -> StageResult:
        names = tuple(dict.fromkeys((snyk.NAME, *project.config.scan.image_scanners)))
        return await image_scan.run(project, scanners=names, token=token)

    async def secrets(project: Project, _: Mapping[str, StageResult]) -> StageResult:
        found = leaks.history(project, repository.directory, repository.base)
        return scan.result_of(SECRETS, [await scan.guarded(leaks.HISTORY, found)], project)

    return (
        Stage(REVIEW, changes, scan.nothing_to_do),
        Stage(image_scan.NAME, images, build.nothing_to_do),
        Stage(SECRETS, secrets, scan.nothing_to_do),
    )


async def _base(repository: Repository) -> dagger.Directory | None:
    """The project as it is in the base; None where nothing is compared: no base, no repository, or no commit between."""
    if not repository.base or not await leaks.is_ahead(repository.directory, repository.base):
        return None
    tree = repository.directory.as_git().ref(repository.base).tree(discard_git_dir=True)
    return tree.directory(repository.path)
