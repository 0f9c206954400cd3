"""A linter has the project's version where the project pins one, and ours where it does not or can't be run."""

import anyio
import pytest

from sealane.stages import project, tools
from sealane.stages.lint import pinned
from sealane.testing import RecordingEngine

HOOKS = """\
repos:
  - repo: https://github.com/astral-sh/ruff-pre-commit
    rev: v0.15.6
    hooks:
      - id: ruff
  - repo: "https://github.com/psf/black.git"
    # frozen
    rev: 24.3.0
    hooks: [{id: black}]
  - repo: https://github.com/pre-commit/mirrors-mypy
    rev: 3a7f1d5
  - repo: https://github.com/PyCQA/flake8
    rev: 3.9.2
"""


def requirement(package, files):
    async def main():
        async with RecordingEngine() as engine:
            return pinned.requirement(package, await project.read(engine.directory(files)))

    return anyio.run(main)


@pytest.mark.parametrize(
    ("package", "files", "wanted"),
    [
        ("ruff", {".pre-commit-config.yaml": HOOKS}, "ruff==0.15.6"),
        ("black", {".pre-commit-config.yaml": HOOKS}, "black==24.3.0"),
        ("mypy", {".pre-commit-config.yaml": HOOKS}, None),
        ("flake8", {".pre-commit-config.yaml": HOOKS}, None),
        ("black", {"pyproject.toml": "[tool.black]\nrequired-version = '24'\n"}, "black==24.*"),
        ("ruff", {"pyproject.toml": "[tool.ruff]\nrequired-version = '>=0.9'\n", ".pre-commit-config.yaml": HOOKS}, "ruff>=0.9"),
        ("black", {"pyproject.toml": "[tool.black]\nrequired-version = 'new'\n"}, None),
        ("mypy", {"pyproject.toml": "[dependency-groups]\ndev = ['mypy==1.9.0', 'x @ file:x']\n"}, "mypy==1.9.0"),
        ("mypy", {"pyproject.toml": "[dependency-groups]\ndev = ['mypy>=1.9.0']\n"}, None),
        ("bandit", {"pyproject.toml": "[dependency-groups]\ndev = ['bandit==1.0']\n"}, None),
    ],
)  # fmt: skip
def test_the_version_of_a_linter(package, files, wanted):
    assert requirement(package, files) == (wanted or tools.requirement(package))
