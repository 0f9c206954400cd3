"""A module's source: where its file (dagger.json) is, what of its surroundings goes along, and what names its content."""

from __future__ import annotations

import json
import os
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.api.values import Directory
from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.graph.keys import digest_of
from sealane_engine.modules import refs
from sealane_engine.modules.config import (
    FILE,
    FILES,
    WORKSPACE,
    ModuleConfig,
    find,
    git_root,
    parse_config,
    parse_workspace,
)
from sealane_engine.modules.ground import Ground, HostGround, TreeGround
from sealane_engine.protocol.call import Call

if TYPE_CHECKING:
    from sealane_engine.api.registry import Context
    from sealane_engine.graph.machine import Machine
    from sealane_engine.modules.config import Dependency
    from sealane_engine.protocol.client import Client

_ALWAYS_OUT = ("**/.git", "**/.venv", "**/__pycache__", "**/node_modules")


@dataclass(frozen=True, slots=True)
class Git:
    """Which commit of which repository a module was read from."""

    url: str
    commit: str
    version: str


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """A module on a ground. `subpath` is where its file is there; `config` None: there is none.

    `client` is whose machine it is on, or who asked for it. `name` is another name than its own, given by who
    depends on it. `draft` is what changes in its dagger.json, as JSON. `settings` are defaults of its constructor.
    """

    ref: str
    client: Client
    ground: Ground
    subpath: str
    config: ModuleConfig | None
    git: Git | None = None
    name: str = ""
    draft: str = ""
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        if self.git is not None:
            return "GIT_SOURCE"
        return "LOCAL_SOURCE" if self.ground.local else "DIR_SOURCE"

    @property
    def shown(self) -> str:
        """The source as a person is told of it."""
        return self.ground.shown(self.subpath)

    @property
    def code(self) -> str:
        """Where the code is on the ground."""
        return posixpath.normpath(posixpath.join(self.subpath, self.needs_config().source))

    @property
    def module_name(self) -> str:
        return self.name or json.loads(self.draft or "{}").get("name") or self.needs_config().name

    def needs_config(self) -> ModuleConfig:
        if self.config is None:
            raise NotFound(
                f"no {FILE} in {self.shown} or above it", reason="module-not-found", hint="check the module's path"
            )
        return self.config

    def directory(self) -> Directory:
        """The part of the context that the module's code may see."""
        config = self.needs_config()
        inside = "" if self.subpath == "." else f"{self.subpath}/"
        code = "" if self.code == "." else f"{self.code}/"
        include = [*(f"{inside}{name}" for name in FILES), f"{code}**" if code else "**"]
        exclude = list(_ALWAYS_OUT)
        for pattern in config.include:
            if pattern.startswith("!"):
                exclude.append(f"{inside}{pattern[1:]}")
            else:
                include.append(posixpath.normpath(f"{inside}{pattern}"))
        if "**" in include:
            include = []
        return self.ground.directory(tuple(include), tuple(exclude))

    async def digest(self, ctx: Context) -> str:
        """Names what the source is: its content and its configuration, wherever it lies."""
        config = self.needs_config()
        content = await ctx.engine.solver.content(self.directory().at, ctx.asker)
        return digest_of(
            ["module-source", content, self.subpath, self.module_name, config.name, config.sdk, config.source]
        )


async def find_source(
    ctx: Context, ref: str, pin: str = "", *, find_up: bool = True, must_exist: bool = False
) -> ModuleSource:
    """The source that a reference names: a directory of the client's machine (looked for upwards), or a repository.

    `must_exist`: a directory that isn't there is an error, too, not only no module. Raises NotFound (`module-not-found`).
    """
    machine = ctx.engine.machine(ctx.client)
    if machine is not None and not pin and not refs.looks_remote(ref):
        return await _in_sandbox(ctx, machine, ref, find_up=find_up, must_exist=must_exist)
    if not pin and not refs.looks_remote(ref):
        return await _on_host(ctx, ref, find_up=find_up, must_exist=must_exist)
    if not pin and ctx.client.extra.get("workdir") is not None and ctx.engine.client_path(ctx.client, ref).is_dir():
        return await _on_host(ctx, ref, find_up=find_up, must_exist=must_exist)
    return await _from_git(ctx, ref, pin)


def _not_there(ref: str) -> NotFound:
    return NotFound(f'local path "{ref}" does not exist', reason="module-not-found", hint="check the module's path")


async def _on_host(ctx: Context, ref: str, *, find_up: bool, must_exist: bool) -> ModuleSource:
    start = ctx.engine.client_path(ctx.client, ref or ".")
    if must_exist and not start.exists():
        raise _not_there(ref)
    found = find(start, (*FILES, WORKSPACE))
    if found is not None and not find_up and found.parent != start:
        found = None
    if found is not None and found.name == WORKSPACE:
        return await _entry_point(ctx, ref, found)
    return await _at(ctx, ref, start if found is None else found.parent)


async def _at(ctx: Context, ref: str, root: Path) -> ModuleSource:
    """The source in a directory of the client's machine."""
    context = git_root(root) or root
    ground, subpath = HostGround(ctx.client, context), str(root.relative_to(context))
    return ModuleSource(ref, ctx.client, ground, subpath, await _config(ctx, ground, subpath))


async def _entry_point(ctx: Context, ref: str, workspace: Path) -> ModuleSource:
    """The module that a workspace's file says a call there means."""
    entry = parse_workspace(workspace.read_bytes(), str(workspace))
    if entry is None:
        return await _at(ctx, ref, workspace.parent)
    if entry.pin or refs.looks_remote(entry.source):
        found = await _from_git(ctx, entry.source, entry.pin)
    else:
        found = await _at(ctx, ref, Path(os.path.normpath(workspace.parent / entry.source)))
    if found.config is None:
        raise NotFound(
            f"{workspace}: module {entry.name!r} is at {entry.source}, but there is no {' or '.join(FILES)}",
            reason="module-not-found",
            hint="mend its source",
        )
    return replace(found, name=entry.name, settings=entry.settings)


async def _config(ctx: Context, ground: Ground, subpath: str) -> ModuleConfig | None:
    """What the module's file at a place of the ground says."""
    for name in FILES:
        path = posixpath.join(subpath, name)
        data = await ground.read(ctx, path)
        if data is not None:
            return parse_config(data, ground.shown(path))
    return None


async def _in_sandbox(ctx: Context, machine: Machine, ref: str, *, find_up: bool, must_exist: bool) -> ModuleSource:
    """The source on the machine of a client in a step. What is around it is taken as it is now."""
    await machine.ready()
    start = machine.path(ref or ".")
    if must_exist and not await machine.is_directory(start):
        raise _not_there(ref)
    found = [
        place
        for name in FILES
        if (place := await machine.find_up(name, start) if find_up else posixpath.join(start, name)) is not None
        and await machine.is_file(place)
    ]
    exists = bool(found)
    root = posixpath.dirname(max(found, key=len)) if exists else start  # the nearest
    repository = await machine.find_up(".git", root)
    context = posixpath.dirname(repository) if repository else root
    subpath = posixpath.relpath(root, context)
    if not exists:
        nothing = TreeGround(Call.make(None, "Directory", "directory"), Directory(), context, local=True)
        return ModuleSource(ref, ctx.client, nothing, subpath, None)
    host = Call.make(None, "Host", "host", scope=ctx.client.id)
    tree = Call.make(host, "Directory", "directory", {"path": context, "exclude": _ALWAYS_OUT})
    ground = TreeGround(tree, await ctx.engine.resolver.evaluate(ctx.client, tree), context, local=True)
    return await _source_on(ctx, ground, subpath, ref)


async def _from_git(ctx: Context, ref: str, pin: str) -> ModuleSource:
    parsed = refs.parse(ref)
    repository = Call.make(None, "GitRepository", "git", {"url": parsed.url}, scope=ctx.client.id)
    found = await ctx.engine.resolver.evaluate(ctx.client, repository)
    tag = refs.tag_of(parsed.version, parsed.subpath, found.refs.tags(()))
    if pin:
        chosen = Call.make(repository, "GitRef", "commit", {"id": pin})
    elif tag:
        chosen = Call.make(repository, "GitRef", "tag", {"name": tag})
    elif parsed.version:
        chosen = Call.make(repository, "GitRef", "ref", {"name": parsed.version})
    else:
        chosen = Call.make(repository, "GitRef", "head")
    commit = (await ctx.engine.resolver.evaluate(ctx.client, chosen)).found.commit
    tree = Call.make(Call.make(repository, "GitRef", "commit", {"id": commit}), "Directory", "tree")
    git = Git(parsed.url, commit, parsed.version)
    return await source_in(ctx, tree, parsed.subpath, ref=ref, name=str(parsed), git=git)


async def source_in(
    ctx: Context, tree: Call, subpath: str, *, ref: str = "", name: str = "a directory", git: Git | None = None
) -> ModuleSource:
    """The source in a directory that a call answers; `name` is what errors call that directory."""
    ground = TreeGround(tree, await ctx.engine.resolver.evaluate(ctx.client, tree), name)
    return await _source_on(ctx, ground, subpath, ref, git)


async def _source_on(ctx: Context, ground: TreeGround, subpath: str, ref: str, git: Git | None = None) -> ModuleSource:
    subpath = posixpath.normpath(subpath)
    return ModuleSource(ref, ctx.client, ground, subpath, await _config(ctx, ground, subpath), git)


async def related_source(ctx: Context, source: ModuleSource, named: Dependency) -> ModuleSource:
    """The source of a module that another one names: beside it, or in a repository.

    Raises NotFound (`module-not-found`), InvalidInput (`module-outside`).
    """
    if named.pin or refs.looks_remote(named.source):
        found = await _from_git(ctx, named.source, named.pin)
    else:
        found = await _beside(ctx, source, named.source)
    if found.config is None:
        raise NotFound(
            f'module "{source.module_name}" depends on {named.source}, but there is no {FILE} in {found.shown}',
            reason="module-not-found",
            hint=f"mend the source of {named.name or named.source!r} in {source.shown}/{FILE}",
        )
    return replace(found, name=named.name)


async def _beside(ctx: Context, source: ModuleSource, path: str) -> ModuleSource:
    place = posixpath.normpath(posixpath.join(source.subpath, path))
    if place.startswith(("..", "/")):
        raise InvalidInput(
            f'module "{source.module_name}" depends on {path}, which is outside its context {source.ground.shown(".")}',
            reason="module-outside",
            hint="a dependency is in the same repository, or named by a repository's address",
        )
    config = await _config(ctx, source.ground, place)
    return replace(source, ref=path, subpath=place, config=config, name="", settings=())
