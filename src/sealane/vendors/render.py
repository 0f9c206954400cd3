"""Renders a vendor's wrapper. Nothing of a run gets into it: its values are the configuration's, each quoted as JSON."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

from sealane import __version__
from sealane.errors import UsageError
from sealane.vendors.rules import Work

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
    "azure": {"ci/vendors/azure/azure-pipelines.yml": "azure.yml.j2"},
    "bitbucket": {"ci/vendors/bitbucket/bitbucket-pipelines.yml": "bitbucket.yml.j2"},
    "buildkite": {"ci/vendors/buildkite/pipeline.yml": "buildkite.yml.j2"},
    "codebuild": {"ci/vendors/codebuild/buildspec.yml": "codebuild.yml.j2"},
    "woodpecker": {"ci/vendors/woodpecker/.woodpecker.yml": "woodpecker.yml.j2"},
}

# What is uploaded under the guide's names.
PATHS = {
    "security": [
        "out/*bandit-report.json",
        "out/*safety-report.json",
        "out/*trivy-results.sarif",
        "out/findings.sarif",
        "out/security-report.json",
    ],
    "tests": ["out/htmlcov/", "out/.coverage", "out/*.xml"],
    "sbom": ["out/*sbom.spdx.json"],
}


def render(vendor: str, config: CiConfig) -> dict[str, str]:
    """The vendor's files: path → text. Raises UsageError (`unknown-vendor`)."""
    import jinja2

    if vendor not in FILES:
        raise UsageError(
            f"there is no wrapper for {vendor!r}", reason="unknown-vendor", hint=f"There is one for {', '.join(FILES)}."
        )
    environment = jinja2.Environment(  # noqa: S701 - YAML, whose values `quoted` makes JSON
        loader=jinja2.PackageLoader("sealane.vendors", "wrappers"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = lambda value: json.dumps(value, ensure_ascii=False)
    values = _values(vendor, config)
    return {path: environment.get_template(template).render(values) for path, template in FILES[vendor].items()}


def _values(vendor: str, config: CiConfig) -> dict[str, Any]:
    return {
        "vendor": vendor,
        "name": config.name,
        "branches": config.branches,
        "base": config.base,
        "timeout": config.timeout,
        "nightly": config.nightly,
        "environments": config.environments,
        "commands": _commands(config),
        "security_commands": _commands(config, Work.SECURITY),
        "paths": PATHS,
        "pins": {name: _pinned(pin) for name, pin in pins().items()},
    }


def _commands(config: CiConfig, work: str = "") -> list[str]:
    run = f"ci run {work}".rstrip()
    if config.command:
        return [f"./{config.command} {run}"]
    return [
        "python3 -m venv .venv-sealane",
        f".venv-sealane/bin/pip install --quiet sealane=={__version__}",
        f".venv-sealane/bin/sealane {run}",
    ]


def pins() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files("sealane.vendors").joinpath("pins.toml").read_text(encoding="utf-8"))


def _pinned(pin: dict[str, Any]) -> str:
    """By commit; an action whose commit nobody could read stays at its tag, and says so."""
    if pin.get("commit"):
        return f"{pin['uses']}@{pin['commit']} # {pin['tag']}"
    return f"{pin['uses']}@{pin['tag']} # unpinned: its commit could not be read"
