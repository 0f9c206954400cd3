"""ModuleSource: changes to a module's dagger.json, and the files of a module that has just begun.

Nothing is written before `generatedContextDirectory` is exported: that is how `dagger init`, `install` and `develop` do it.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sealane_engine import VERSION
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory
from sealane_engine.errors import InvalidInput, Unsupported
from sealane_engine.graph.operation import Edit, Operation, Ref, Scratch, WriteFile
from sealane_engine.modules.config import FILE, TOML
from sealane_engine.modules.names import camel
from sealane_engine.modules.runtime import CLIENT

if TYPE_CHECKING:
    from sealane_engine.modules.source import ModuleSource

source = Fields("ModuleSource")
_ORDER = ("name", "engineVersion", "sdk", "include", "dependencies", "source")
_PROJECT = """\
[project]
name = "{project}"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["{client}"]
"""
_MAIN = '''\
"""What this module is for: the first line is what `dagger functions` shows."""

import dagger
from dagger import dag, function, object_type


@object_type
class {main}:
    @function
    def container_echo(self, string_arg: str) -> dagger.Container:
        """A container that prints the argument."""
        return dag.container().from_("debian:bookworm-slim").with_exec(["echo", string_arg])
'''


def _changed(self: ModuleSource, **changes: Any) -> ModuleSource:
    return replace(self, draft=json.dumps({**json.loads(self.draft or "{}"), **changes}))


@source("withName")
async def with_name(ctx: Context, self: ModuleSource, *, name: str) -> ModuleSource:
    return _changed(self, name=name)


@source("withSDK")
async def with_sdk(ctx: Context, self: ModuleSource, **given: str) -> ModuleSource:
    return _changed(self, sdk={"source": given["source"]})


@source("withSourceSubpath")
async def with_source_subpath(ctx: Context, self: ModuleSource, *, path: str) -> ModuleSource:
    place = posixpath.normpath(path)
    if place.startswith(("..", "/")):
        raise InvalidInput(f"source path {path!r} leaves the module", reason="bad-module-config")
    return _changed(self, source="" if place == "." else place)


@source("withIncludes")
async def with_includes(ctx: Context, self: ModuleSource, *, patterns: list[str]) -> ModuleSource:
    there = (await _table(ctx, self)).get("include") or []
    return _changed(self, include=list(dict.fromkeys([*there, *patterns])))


@source("withEngineVersion")
async def with_engine_version(ctx: Context, self: ModuleSource, *, version: str) -> ModuleSource:
    """`latest` is the version that this engine speaks."""
    return _changed(self, engineVersion=VERSION if version == "latest" else version)


@source("withDependencies")
async def with_dependencies(ctx: Context, self: ModuleSource, *, dependencies: list[ModuleSource]) -> ModuleSource:
    """One of a name that is there takes its place."""
    there = {each["name"]: each for each in (await _table(ctx, self)).get("dependencies") or ()}
    there |= {each.module_name: _reference(self, each) for each in dependencies}
    return _changed(self, dependencies=[there[name] for name in sorted(there)])


@source("withoutDependencies")
async def without_dependencies(ctx: Context, self: ModuleSource, *, dependencies: list[str]) -> ModuleSource:
    there = (await _table(ctx, self)).get("dependencies") or []
    left = [each for each in there if not {each["name"], each["source"]} & set(dependencies)]
    if len(left) + len(dependencies) > len(there):
        raise InvalidInput(
            f"not all of {', '.join(dependencies)} are dependencies of {self.shown}",
            reason="no-dependency",
            hint="see the names in its dagger.json",
        )
    return _changed(self, dependencies=left)


def _reference(self: ModuleSource, other: ModuleSource) -> dict[str, str]:
    """How a dagger.json names another module: beside it by a path, else by its repository and commit."""
    if other.git is not None:
        version = f"@{other.git.version}" if other.git.version else ""
        path = "" if other.subpath == "." else f"/{other.subpath}"
        return {"name": other.module_name, "source": f"{other.git.url}{path}{version}", "pin": other.git.commit}
    if other.ground.shown(".") != self.ground.shown("."):
        raise InvalidInput(
            f"{other.shown} is not in the repository of {self.shown}",
            reason="module-outside",
            hint="name it by its repository's address",
        )
    return {"name": other.module_name, "source": posixpath.relpath(other.subpath, self.subpath)}


async def _table(ctx: Context, self: ModuleSource) -> dict[str, Any]:
    """The dagger.json as it will be."""
    data = await self.ground.read(ctx, posixpath.join(self.subpath, FILE)) if self.config is not None else None
    if data is None and self.config is not None:
        raise Unsupported(
            f"{self.shown} has Dagger 1.0's {TOML}, which is read and never written", hint="edit it by hand"
        )
    table: dict[str, Any] = {**json.loads(data or b"{}"), **json.loads(self.draft or "{}")}
    known = {key: table[key] for key in _ORDER if table.get(key)}
    return known | {key: value for key, value in table.items() if key not in _ORDER}


async def drafted(ctx: Context, self: ModuleSource) -> Directory:
    """The changed dagger.json where it belongs; beside it, for a Python module without code, code to begin with."""
    table = await _table(ctx, self)
    if not table.get("name"):
        raise InvalidInput("the module has no name", reason="bad-module-config", hint="call withName")
    files = {FILE: json.dumps(table, indent=2, ensure_ascii=False) + "\n"}
    code = str(table.get("source") or ".")
    project = await self.ground.read(ctx, posixpath.join(self.subpath, code, "pyproject.toml"))
    if table.get("sdk", {}).get("source") == "python" and project is None:
        files |= {posixpath.join(code, path): text for path, text in _beginning(table["name"]).items()}
    tree: Operation = Scratch()
    for path, text in files.items():
        place = posixpath.normpath(posixpath.join("/", self.subpath, path))
        tree = Edit(tree, WriteFile(place, text.encode()))
    return Directory(Ref(tree))


def _beginning(name: str) -> dict[str, str]:
    package = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "main"
    return {
        "pyproject.toml": _PROJECT.format(project=package.replace("_", "-"), client=CLIENT),
        f"src/{package}/__init__.py": f'"""A Dagger module."""\n\nfrom .main import {camel(name)} as {camel(name)}\n',
        f"src/{package}/main.py": _MAIN.format(main=camel(name)),
    }
