"""The version of a linter: the project's own where it pins one. What is well formatted for one release is not for the next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from sealane.stages import declared, tools

if TYPE_CHECKING:
    from sealane.stages.project import Project

HOOKS = ".pre-commit-config.yaml"
# pre-commit's repositories, by their last name, and the package that each runs.
_REPOSITORIES = {
    "black": "black", "black-pre-commit-mirror": "black", "flake8": "flake8", "isort": "isort", "mirrors-isort": "isort",
    "mirrors-mypy": "mypy", "ruff-pre-commit": "ruff",
}  # fmt: skip
_REPOSITORY = re.compile(
    r"^\s*-\s*repo:\s*[\"']?\S*?/(?P<name>[\w.-]+?)(?:\.git)?/?[\"']?[ \t]*(?:#.*)?\n(?:\s*#.*\n)*\s*rev:\s*[\"']?v?(?P<rev>[\w.]+)",
    re.MULTILINE,
)
# Older ones don't run on a Python of today, or say what they find in another way.
_OLDEST = {"black": "22.3", "flake8": "5", "isort": "5.10", "mypy": "1", "ruff": "0.4"}


def requirement(package: str, project: Project) -> str:
    """What pip is told: the project's own version, else that of Sealane's table."""
    if package not in _OLDEST:
        return tools.requirement(package)
    said = _required(package, project)
    if not said and (version := _hooked(package, project) or _declared(package, project)):
        said = f"=={version}" if _is_young(package, version) else ""
    return f"{package}{said}" if said else tools.requirement(package)


def _required(package: str, project: Project) -> str:
    """`required-version` of black (`23`, `23.1.0`) or ruff (a specifier), without which they refuse to run."""
    said = declared.table(project.pyproject, "tool", package).get("required-version")
    if not isinstance(said, str):
        return ""
    if said[:1].isdigit():
        said = f"=={said}" if said.count(".") > 1 else f"=={said}.*"
    try:
        return str(SpecifierSet(said))
    except InvalidSpecifier:
        return ""


def _hooked(package: str, project: Project) -> str:
    found = _REPOSITORY.finditer(project.texts.get(HOOKS, ""))
    return next((match["rev"] for match in found if _REPOSITORIES.get(match["name"]) == package), "")


def _declared(package: str, project: Project) -> str:
    """The exact version among what the project installs for its development."""
    for text in declared.requirements(project):
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        bounds = list(wanted.specifier)
        if wanted.name == package and len(bounds) == 1 and bounds[0].operator == "==" and "*" not in bounds[0].version:
            return bounds[0].version
    return ""


def _is_young(package: str, version: str) -> bool:
    try:
        return Version(version) >= Version(_OLDEST[package])
    except InvalidVersion:
        return False  # a commit, a branch
