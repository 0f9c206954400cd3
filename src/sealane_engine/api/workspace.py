"""Workspace: the project that the session was started in, its files, and what its modules mark in it."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane_engine.api.changeset import Changeset
from sealane_engine.api.checks import CheckGroup, checks_of
from sealane_engine.api.generators import GeneratorGroup, generators_of
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.ups import UpGroup, ups_of
from sealane_engine.api.values import Directory
from sealane_engine.errors import InvalidInput, Unsupported
from sealane_engine.modules.config import git_root
from sealane_engine.modules.module import Module
from sealane_engine.modules.serve import served
from sealane_engine.protocol.call import Call

query = Fields("Query")
field = Fields("Workspace")


@dataclass(frozen=True, slots=True)
class Workspace:
    """`boundary` is the git working copy around the directory that the client works in, else that directory;
    `path` is where in it that directory is.
    """

    owner: str
    boundary: str
    path: str
    modules: tuple[Module, ...]


@query("currentWorkspace")
async def current_workspace(ctx: Context, self: None) -> Workspace:
    client = ctx.client if ctx.client.extra.get("workdir") is not None else ctx.engine.main
    workdir: Path = Path(client.extra["workdir"]).absolute()
    boundary = git_root(workdir) or workdir
    modules = {each.module.digest: each.module for each in served(ctx.client) if each.module.user is None}
    return Workspace(client.id, str(boundary), str(workdir.relative_to(boundary)), tuple(modules.values()))


@field("path")
async def path_of(ctx: Context, self: Workspace) -> str:
    return self.path


@field("address")
async def address(ctx: Context, self: Workspace) -> str:
    return f"file://{posixpath.normpath(posixpath.join(self.boundary, self.path))}"


@field("clientId")
async def client_id(ctx: Context, self: Workspace) -> str:
    return self.owner


@field("hasConfig")
async def has_config(ctx: Context, self: Workspace) -> bool:
    return Path(self.boundary, self.path, ".dagger", "config.toml").is_file()


field("initialized")(has_config)


@field("configPath")
async def config_path(ctx: Context, self: Workspace) -> str:
    return posixpath.normpath(f"{self.path}/.dagger/config.toml") if await has_config(ctx, self) else ""


@field("directory")
async def directory(
    ctx: Context,
    self: Workspace,
    *,
    path: str,
    exclude: list[str] | None = None,
    include: list[str] | None = None,
    gitignore: bool = False,
) -> Any:
    given = {"exclude": tuple(exclude or ()), "include": tuple(include or ()), "gitignore": gitignore}
    return await _of_host(ctx, self, "Directory", path, {name: value for name, value in given.items() if value})


@field("file")
async def file(ctx: Context, self: Workspace, *, path: str) -> Any:
    return await _of_host(ctx, self, "File", path, {})


@field("findUp")
async def find_up(ctx: Context, self: Workspace, *, name: str, **given: str) -> str | None:
    current = _inside(self, given.get("from", "."))
    while True:
        candidate = posixpath.normpath(posixpath.join(current, name))
        if Path(self.boundary, candidate).exists():
            return f"/{candidate}"
        if current in ("", "."):
            return None
        current = posixpath.dirname(current)


@field("checks")
async def checks(
    ctx: Context,
    self: Workspace,
    *,
    include: list[str] | None = None,
    noGenerate: bool | None = None,
    onlyGenerate: bool | None = None,
) -> CheckGroup:
    return checks_of(self.modules, include, plain=not onlyGenerate, generate=not noGenerate)


@field("generators")
async def generators(ctx: Context, self: Workspace, *, include: list[str] | None = None) -> GeneratorGroup:
    return generators_of(self.modules, include)


@field("services")
async def services(ctx: Context, self: Workspace, *, include: list[str] | None = None) -> UpGroup:
    return ups_of(self.modules, include)


@field("update")
async def update(ctx: Context, self: Workspace) -> Changeset:
    """Dagger refreshes what its lock file has. Without one there is nothing to refresh."""
    lock = posixpath.join(self.path, ".dagger", "lock")
    if Path(self.boundary, lock).exists():
        raise Unsupported(
            f"the lock file {posixpath.normpath(lock)} is not refreshed by the embedded engine",
            hint="run it on a Dagger engine: sealane --engine dagger",
        )
    return Changeset(Directory(), Directory())


async def _of_host(ctx: Context, self: Workspace, kind: str, path: str, args: dict[str, Any]) -> Any:
    """A place in the workspace, as its owner would name it: whoever was handed the workspace may read it."""
    owner = ctx.engine.clients.known(self.owner)
    host = Call.make(None, "Host", "host", scope=self.owner)
    place = Path(self.boundary, _inside(self, path))
    if not place.resolve().is_relative_to(Path(self.boundary).resolve()):
        raise _outside(path)
    return await ctx.engine.resolver.evaluate(owner, Call.make(host, kind, kind.lower(), {"path": str(place), **args}))


def _inside(self: Workspace, path: str) -> str:
    """A path as one relative to the boundary: from its top when absolute, else from the client's directory."""
    found = (
        posixpath.normpath(path.lstrip("/") or ".")
        if path.startswith("/")
        else posixpath.normpath(f"{self.path}/{path}")
    )
    if found == ".." or found.startswith("../"):
        raise _outside(path)
    return found


def _outside(path: str) -> InvalidInput:
    return InvalidInput(
        f"the path {path!r} leaves the workspace", reason="workspace-path", hint="name a path inside it"
    )
