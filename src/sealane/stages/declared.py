"""What a project says that its tests need, in each of the ways in which projects say it."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealane.stages.project import Project

_NAMES = ("test", "tests", "testing")
_WITH_DEV = (*_NAMES, "dev")
_POETRY_RANGE = re.compile(r"^([\^~])\s*(\d+(?:\.\d+)*)$")


def extras(project: Project) -> tuple[str, ...]:
    """The extras of the project that bring what tests need."""
    known = set(table(project.pyproject, "project", "optional-dependencies"))
    known |= set(table(project.pyproject, "tool", "poetry", "extras"))
    if project.has("setup.cfg"):
        parser = ini(project.texts.get("setup.cfg", ""))
        if parser.has_section("options.extras_require"):
            known |= set(parser.options("options.extras_require"))
    elif project.has("setup.py") and not known:
        return _NAMES  # what a program says can't be read; pip only warns about an extra that isn't there
    return tuple(name for name in _NAMES if name in known) or (("dev",) if "dev" in known else ())


def requirements(project: Project) -> tuple[str, ...]:
    """Requirements beyond extras and files, written out: an old pip knows neither groups nor other tools' tables.

    The first of these that there is: a dependency group (PEP 735), Poetry's groups, PDM's, Hatch's environments, tox's
    `deps`.
    """
    ways = (_groups, _poetry, _pdm, _hatch)
    found = next((names for names in (way(project.pyproject) for way in ways) if names), None)
    return tuple(dict.fromkeys(found or _tox(project.texts.get("tox.ini", ""))))


def dependencies(project: Project) -> tuple[str, ...]:
    """What the project's own code imports, as its metadata says it; empty where only a program says it."""
    said = table(project.pyproject, "project").get("dependencies")
    if said is None:
        packages = table(project.pyproject, "tool", "poetry", "dependencies")
        wanted = {name: each for name, each in packages.items() if name != "python" and not _optional(each)}
        said = [text for name, each in wanted.items() if (text := of_poetry(name, each))]
    if not said:
        said = ini(project.texts.get("setup.cfg", "")).get("options", "install_requires", fallback="").splitlines()
    if not said:
        said = f"\n{project.texts.get('requires.txt', '')}".partition("\n[")[0].splitlines()
    lines = (line.partition(" #")[0].strip() for line in _texts(said))
    return tuple(line for line in lines if line and not line.startswith(("#", "file:")))


def _optional(said: Any) -> bool:
    return isinstance(said, dict) and bool(said.get("optional"))


def ini(text: str) -> configparser.ConfigParser:
    """A file of settings; an empty one when it can't be read."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error:
        return configparser.ConfigParser(interpolation=None)
    return parser


def table(found: Any, *path: str) -> dict[str, Any]:
    """The table at a path of keys; empty where something else stands there."""
    for key in path:
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return dict(found) if isinstance(found, Mapping) else {}


def _texts(items: Any) -> list[str]:
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []


def _groups(pyproject: dict[str, Any]) -> list[str]:
    groups = table(pyproject, "dependency-groups")
    name = next((n for n in _WITH_DEV if n in groups), None)
    return list(_expand(groups, name, frozenset())) if name else []


def _expand(groups: dict[str, Any], name: str, seen: frozenset[str]) -> Iterable[str]:
    for item in groups.get(name, []):
        if isinstance(item, str):
            yield item
        elif (other := item.get("include-group")) and other not in seen:
            yield from _expand(groups, other, seen | {name})


def _poetry(pyproject: dict[str, Any]) -> list[str]:
    poetry = table(pyproject, "tool", "poetry")
    found = table(poetry, "dev-dependencies")
    for name in _WITH_DEV:
        found = found | table(poetry, "group", name, "dependencies")
    return [text for name, said in found.items() if name != "python" and (text := of_poetry(name, said))]


def of_poetry(name: str, said: Any) -> str:
    """`pytest = "^8.1"` → `pytest>=8.1,<9`. Empty for what is no package of an index: a path, a repository."""
    extra, version = "", said
    if isinstance(said, dict):
        if {"path", "git", "url"} & said.keys():
            return ""
        extra = f"[{','.join(_texts(said.get('extras')))}]" if said.get("extras") else ""
        version = said.get("version", "*")
    if not isinstance(version, str) or version.strip() in {"*", ""}:
        return name + extra
    bounds = [_bound(part.strip()) for part in version.split(",")]
    return f"{name}{extra}{','.join(bounds)}" if all(bounds) else name + extra


def _bound(text: str) -> str:
    """One of Poetry's bounds as PEP 440 has it; empty when it can't be said there."""
    found = _POETRY_RANGE.match(text)
    if found is None:
        return text if text[:1] in "<>=!~" else f"=={text}" if text[:1].isdigit() and "|" not in text else ""
    numbers = [int(number) for number in found[2].split(".")]
    # ^ keeps the first number that isn't 0; ~ keeps the first two.
    place = (
        next((i for i, n in enumerate(numbers) if n), len(numbers) - 1) if found[1] == "^" else min(1, len(numbers) - 1)
    )
    end = [*numbers[:place], numbers[place] + 1]
    return f">={found[2]},<{'.'.join(map(str, end))}"


def _pdm(pyproject: dict[str, Any]) -> list[str]:
    groups = table(pyproject, "tool", "pdm", "dev-dependencies")
    return [text for name in _WITH_DEV for text in _texts(groups.get(name)) if not text.startswith("-e")]


def _hatch(pyproject: dict[str, Any]) -> list[str]:
    environments = table(pyproject, "tool", "hatch", "envs")
    found = []
    for name in ("hatch-test", *_NAMES, "default"):
        said = table(environments, name)
        found += [*_texts(said.get("dependencies")), *_texts(said.get("extra-dependencies"))]
    return [text for text in found if "{" not in text]


def _tox(text: str) -> list[str]:
    """Tox's `deps` that hold for every environment: no substitution, no file, no factor."""
    parser = ini(text)
    lines = parser.get("testenv", "deps", fallback="").splitlines() if parser.has_section("testenv") else []
    names = (line.partition("#")[0].strip() for line in lines)
    return [name for name in names if name and not name.startswith("-") and "{" not in name and ": " not in name]
