"""Uploads the coverage of the tests to Codecov: a side effect, never kept by an engine."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane.errors import StageFailed
from sealane.stages import steps

if TYPE_CHECKING:
    import dagger

    from sealane.stages.project import Project
    from sealane.stages.result import StageResult

FLAG, UPLOAD = "unittests", "codecov-umbrella"
URL = "https://ingest.codecov.io"
_SCRIPT, _REPORT, _FILES = "/sealane/codecov.py", "/sealane/coverage.xml", "/sealane/files.txt"


@dataclass(frozen=True, slots=True)
class Target:
    """Whose coverage it is: `slug` is `owner/name`, `service` the code host as Codecov calls it."""

    slug: str
    commit: str
    branch: str
    service: str = "github"
    url: str = URL


async def upload(tested: StageResult, project: Project, token: dagger.Secret, target: Target) -> str:
    """Where Codecov shows it. Raises StageFailed when there is no coverage, or Codecov does not take it."""
    if tested.report is None or "coverage" not in tested.figures:
        raise StageFailed(f"nothing to upload: the tests measured no coverage ({tested.verdict})")
    container = steps.python().with_new_file(_SCRIPT, steps.script("codecov.py"))
    container = container.with_file(_REPORT, tested.report.file("coverage.xml"))
    container = container.with_new_file(_FILES, "".join(f"{name}\n" for name in sorted(project.files)))
    container = container.with_secret_variable("CODECOV_TOKEN", token)
    container = container.with_env_variable("SEALANE_UPLOAD", uuid.uuid4().hex)  # each one is another step
    about = [target.url, target.service, target.slug, target.commit, target.branch, FLAG, UPLOAD]
    done = await steps.attempt(container, ["python", _SCRIPT, _REPORT, _FILES, *about])
    if done.exit_code:
        raise StageFailed(f"the coverage was not uploaded: {steps.last_lines(done.output, 1)}")
    return f"coverage {tested.figures['coverage']:g} % uploaded: {steps.last_lines(done.stdout, 1)}"
