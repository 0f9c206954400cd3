"""Renders a vendor's wrapper. Nothing of a run gets into it: its values are the configuration's, each quoted as JSON."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

from sealane import __version__
from sealane.errors import UsageError
from sealane.vendors.shape import CACHE, CACHE_FOLDER, CACHED, DEPLOY, EMBEDDED, GATES, Job, Shape, deployments, jobs

if TYPE_CHECKING:
    from sealane.config import CiConfig

# Vendor → where its files lie in a project, and the template of each.
FILES = {
    "github": {
        ".github/workflows/main.yml": "github-main.yml.j2",
        ".github/workflows/security.yml": "github-security.yml.j2",
    },
    "gitlab": {"ci/vendors/gitlab/.gitlab-ci.yml": "gitlab.yml.j2"},
    "circleci": {"ci/vendors/circleci/config.yml": "circleci.yml.j2"},
    "jenkins": {"ci/vendors/jenkins/Jenkinsfile": "jenkins.j2"},
    "azure": {"ci/vendors/azure/azure-pipelines.yml": "azure.yml.j2"},
    "bitbucket": {"ci/vendors/bitbucket/bitbucket-pipelines.yml": "bitbucket.yml.j2"},
    "buildkite": {"ci/vendors/buildkite/pipeline.yml": "buildkite.yml.j2"},
    "codebuild": {"ci/vendors/codebuild/buildspec.yml": "codebuild.yml.j2"},
    "teamcity": {"ci/vendors/teamcity/settings.kts": "teamcity.kts.j2"},
    "woodpecker": {"ci/vendors/woodpecker/.woodpecker.yml": "woodpecker.yml.j2"},
    "tekton": {"ci/vendors/tekton/pipeline.yml": "tekton.yml.j2"},
    "argo": {"ci/vendors/argo/workflow.yml": "argo.yml.j2"},
}

# What of a report is uploaded under the guide's names.
PATHS = {
    "security-reports": [
        "*bandit-report.json",
        "*safety-report.json",
        "*trivy-results.sarif",
        "findings.sarif",
        "security-report.json",
    ],
    "test-results": ["htmlcov/", ".coverage", "*.xml", "nightly-tests/"],
    "sbom": ["*sbom.spdx.json"],
}

# What Tekton and Argo hand over, since they set no variables: variable, parameter, default. A pull request is taken for
# a fork's until someone says that it isn't.
HANDED = (
    ("SEALANE_EVENT", "event", "manual"),
    ("SEALANE_BRANCH", "branch", ""),
    ("SEALANE_BASE", "base", ""),
    ("SEALANE_TAG", "tag", ""),
    ("SEALANE_PULL_REQUEST", "pull-request", ""),
    ("SEALANE_FORK", "fork", ""),
)
# How a task of Argo's can end: `depends` without one of them means that it succeeded.
_ENDED = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted")
# TeamCity's names of cron's fields, in cron's order.
_CLOCK = ("minutes", "hours", "dayOfMonth", "month", "dayOfWeek")


def render(vendor: str, config: CiConfig, shape: Shape | None = None) -> dict[str, str]:
    """The vendor's files: path → text. Raises UsageError (`unknown-vendor`, `no-such-shape`)."""
    import jinja2

    if vendor not in FILES:
        raise UsageError(
            f"there is no wrapper for {vendor!r}", reason="unknown-vendor", hint=f"There is one for {', '.join(FILES)}."
        )
    shape = (shape or Shape()).checked(vendor)
    environment = jinja2.Environment(  # noqa: S701 - YAML, whose values `quoted` makes JSON
        loader=jinja2.PackageLoader("sealane.vendors", "wrappers"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.filters["single"] = _single
    environment.filters["regex"] = lambda tag: tag.replace(".", r"\.").replace("/", r"\/").replace("*", ".*")
    environment.filters["ref"] = Job.ref_of
    environment.filters["of"] = lambda paths, job: {n: [f"{job.out}/{each}" for each in p] for n, p in paths.items()}
    environment.filters["ended"] = lambda task: "(" + " || ".join(f"{task}.{how}" for how in _ENDED) + ")"
    values = _values(vendor, config, shape)
    return {path: environment.get_template(template).render(values) for path, template in FILES[vendor].items()}


def shape_of(text: str) -> Shape:
    """The shape that a wrapper was made in, as its first line says; the plain one where it says nothing."""
    found = re.search(r"`sealane ci generate \S+((?: --[a-z]+(?: [a-z]+)?)*)`", text.partition("\n")[0])
    return Shape.read(found[1].split() if found else [])


def _values(vendor: str, config: CiConfig, shape: Shape) -> dict[str, Any]:
    def commands(work: str) -> list[str]:
        return _commands(vendor, config, shape, work, cached=cached and GATES not in work and DEPLOY not in work)

    cached = vendor in CACHED and shape.engine == EMBEDDED and config.cache > 0

    made = jobs(vendor, shape, commands)
    # the cron of TeamCity knows no `*` for both kinds of day
    clock = list(zip(_CLOCK, config.nightly.split(), strict=True))
    return {
        "made": " ".join(["sealane ci generate", vendor, *shape.words]),
        "name": config.name,
        "slug": re.sub("[^a-z0-9]+", "-", config.name.lower()).strip("-") or "sealane",
        "branches": config.branches,
        "filters": [f"+:{branch}" for branch in config.branches]
        + [f"+:tags/{tag}" for tag in config.tags]
        + ["+:pull/*"],
        "base": config.base,
        "tags": config.tags,
        "timeout": config.timeout,
        "nightly": config.nightly,
        "clock": [(field, "?" if field == "dayOfWeek" and value == "*" else value) for field, value in clock],
        "environments": config.environments,
        "split": shape.split,
        "engine": shape.engine,
        "runner": "ubuntu-24.04",
        # what fetches Dagger's command line needs curl, which the small one lacks
        "image": "python:3.11-slim-bookworm" if shape.engine == EMBEDDED else "python:3.11-bookworm",
        "jobs": made,
        "deploys": deployments(vendor, config, made[-1], commands),
        "pipeline": Job("pipeline", commands("")),
        "security": Job("security", commands("security")),
        "cache": CACHE if cached else "",
        "folder": CACHE_FOLDER,
        "handed": HANDED,
        "paths": {**PATHS, "run": ["run.json"]} if shape.split else PATHS,
        "pins": {name: _pinned(pin) for name, pin in pins().items()},
    }


def _commands(vendor: str, config: CiConfig, shape: Shape, work: str, *, cached: bool) -> list[str]:
    run = f"ci run {work}".rstrip()
    if config.command:
        return [*shape.ahead, f"{shape.environ(config, cached=cached)}./{config.command} {run}"]
    # jobs that run side by side in one folder must not make one environment together
    place = "/tmp/venv-sealane" if shape.split and vendor in ("tekton", "woodpecker") else ".venv-sealane"  # noqa: S108 - a container's own
    return [
        *shape.ahead,
        f"python3 -m venv {place}",
        f"{place}/bin/pip install --quiet sealane=={__version__}",
        f"{shape.environ(config, cached=cached)}{place}/bin/sealane {run}",
    ]


def _single(text: str) -> str:
    """A string in single quotes, as Groovy reads it: nothing in it is a variable."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def pins() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files("sealane.vendors").joinpath("pins.toml").read_text(encoding="utf-8"))


def _pinned(pin: dict[str, Any]) -> str:
    """By commit; an action whose commit nobody could read stays at its tag, and says so."""
    if pin.get("commit"):
        return f"{pin['uses']}@{pin['commit']} # {pin['tag']}"
    return f"{pin['uses']}@{pin['tag']} # unpinned: its commit could not be read"
