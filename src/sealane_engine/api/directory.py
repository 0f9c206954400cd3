"""Directory: reading, changing, comparing and exporting."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
import posixpath
from dataclasses import replace
from typing import Any

from sealane_engine.api import nested
from sealane_engine.api.paths import Stat, seen_directory, seen_file, stat_of, tree_exists
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory, File, join
from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.graph.operation import (
    Action,
    ChangeOwner,
    Copy,
    Difference,
    Edit,
    Failing,
    MakeDirectory,
    MakeSymlink,
    Patch,
    Ref,
    Remove,
    SetTimes,
    WriteFile,
)
from sealane_engine.host.export import export_directory

field = Fields("Directory")


def edited(self: Directory, action: Action) -> Directory:
    return replace(self, at=Ref(Edit(self.at.tree, action), self.at.path))


def inside(self: Directory, path: str) -> str:
    """A path of the directory as a path of its tree; a trailing slash is kept.

    `..` leads above the directory, but never out of its tree: Dagger joins the two paths, too.
    """
    joined = join(self.at.path, path.lstrip("/"))
    return joined + "/" if path.endswith("/") and joined != "/" else joined


@field("sync")
async def sync(ctx: Context, self: Directory) -> Any:
    await seen_directory(ctx, self.at)
    return ctx.call.receiver


@field("entries")
async def entries(ctx: Context, self: Directory, *, path: str | None = None) -> list[str]:
    view, root = await seen_directory(ctx, Ref(self.at.tree, inside(self, path or "").rstrip("/") or "/"))
    names = []
    for name in view.listdir(root):
        entry = view.lstat(posixpath.join(root, name))
        names.append(name + "/" if entry is not None and entry.kind == "dir" else name)
    return sorted(names)


@field("glob")
async def glob(ctx: Context, self: Directory, *, pattern: str) -> list[str]:
    view, root = await seen_directory(ctx, self.at)
    return await asyncio.to_thread(view.glob, pattern, root)


@field("name")
async def name(ctx: Context, self: Directory) -> str:
    await seen_directory(ctx, self.at)
    return posixpath.basename(self.at.path) + "/"


@field("digest")
async def digest(ctx: Context, self: Directory) -> str:
    return await ctx.engine.solver.content(self.at, ctx.asker)


@field("directory")
async def directory(ctx: Context, self: Directory, *, path: str) -> Directory:
    return replace(self, at=Ref(self.at.tree, inside(self, path).rstrip("/") or "/"))


@field("file")
async def file(ctx: Context, self: Directory, *, path: str) -> File:
    at = Ref(self.at.tree, inside(self, path).rstrip("/") or "/")
    if not isinstance(self.at.tree, Failing):
        await seen_file(ctx, at)
    return File(at)


@field("exists")
async def exists(
    ctx: Context, self: Directory, *, path: str, expectedType: str | None = None, doNotFollowSymlinks: bool = False
) -> bool:
    return await tree_exists(
        ctx, Ref(self.at.tree, inside(self, path).rstrip("/") or "/"), expectedType, doNotFollowSymlinks
    )


@field("stat")
async def stat(ctx: Context, self: Directory, *, path: str, doNotFollowSymlinks: bool = False) -> Stat | None:
    if not path:
        raise NotFound("stat : no such file or directory", reason="path-not-found", hint='name what to look at, or "."')
    return await stat_of(ctx, Ref(self.at.tree, inside(self, path).rstrip("/") or "/"), doNotFollowSymlinks)


@field("findUp")
async def find_up(ctx: Context, self: Directory, *, name: str, start: str) -> str | None:
    view, root = await seen_directory(ctx, self.at)
    current = join("/", start)
    while True:
        path = posixpath.join(current, name)
        if view.stat(posixpath.join(root, path.lstrip("/"))) is not None:
            return path.lstrip("/")
        if current == "/":
            return None
        current = posixpath.dirname(current)


@field("withNewFile")
async def with_new_file(
    ctx: Context, self: Directory, *, path: str, contents: str, permissions: int | None = None
) -> Directory:
    mode = 0o644 if permissions is None else permissions
    return edited(self, WriteFile(inside(self, path), contents.encode(), mode))


@field("withNewDirectory")
async def with_new_directory(ctx: Context, self: Directory, *, path: str, permissions: int | None = None) -> Directory:
    if posixpath.normpath(path).startswith("../"):
        raise InvalidInput(
            f"cannot create directory outside parent: {path}",
            reason="path-escapes",
            hint="give a path in the directory",
        )
    return edited(
        self, MakeDirectory(inside(self, path).rstrip("/") or "/", 0o644 if permissions is None else permissions)
    )


@field("withSymlink")
async def with_symlink(ctx: Context, self: Directory, *, target: str, linkName: str) -> Directory:
    return edited(self, MakeSymlink(target, inside(self, linkName)))


@field("withFile")
async def with_file(
    ctx: Context, self: Directory, *, path: str, source: File, permissions: int | None = None, owner: str = ""
) -> Directory:
    return edited(self, Copy(source.at, inside(self, path), kind="file", owner=owner, mode=permissions))


@field("withFiles")
async def with_files(
    ctx: Context, self: Directory, *, path: str, sources: list[File], permissions: int | None = None
) -> Directory:
    for source in sources:
        target = inside(self, path).rstrip("/") + "/"
        self = edited(self, Copy(source.at, target, kind="file", mode=permissions))
    return self


@field("withDirectory")
async def with_directory(
    ctx: Context,
    self: Directory,
    *,
    path: str,
    source: Directory,
    exclude: list[str] | None = None,
    include: list[str] | None = None,
    gitignore: bool = False,
    owner: str = "",
    permissions: int | None = None,
) -> Directory:
    copy = Copy(
        source.at,
        inside(self, path).rstrip("/") or "/",
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        gitignore=gitignore,
        owner=owner,
        mode=permissions,
    )
    return edited(self, copy)


@field("filter")
async def filter_(
    ctx: Context,
    self: Directory,
    *,
    exclude: list[str] | None = None,
    include: list[str] | None = None,
    gitignore: bool = False,
) -> Directory:
    empty = Directory(platform=self.platform)
    return await with_directory(
        ctx, empty, path="/", source=self, exclude=exclude, include=include, gitignore=gitignore
    )


async def _without(ctx: Context, self: Directory, *, path: str) -> Directory:
    return edited(self, Remove((inside(self, path).rstrip("/") or "/",)))


field("withoutFile")(_without)
field("withoutDirectory")(_without)


@field("withoutFiles")
async def without_files(ctx: Context, self: Directory, *, paths: list[str]) -> Directory:
    return edited(self, Remove(tuple(inside(self, path).rstrip("/") or "/" for path in paths)))


@field("withTimestamps")
async def with_timestamps(ctx: Context, self: Directory, *, timestamp: int) -> Directory:
    return edited(self, SetTimes(timestamp))


@field("chown")
async def chown(ctx: Context, self: Directory, *, path: str, owner: str) -> Directory:
    return edited(self, ChangeOwner(inside(self, path).rstrip("/") or "/", owner))


@field("withPatch")
async def with_patch(ctx: Context, self: Directory, *, patch: str) -> Directory:
    await seen_directory(ctx, self.at)
    return edited(self, Patch(patch, self.at.path))


@field("withPatchFile")
async def with_patch_file(ctx: Context, self: Directory, *, patch: File) -> Directory:
    view, _ = await seen_file(ctx, patch.at)
    with view.open(patch.at.path) as opened:
        return await with_patch(ctx, self, patch=opened.read().decode(errors="surrogateescape"))


@field("withError")
async def with_error(ctx: Context, self: Directory, *, err: str) -> Directory:
    return replace(self, at=Ref(Failing(err))) if err else self


@field("diff")
async def diff(ctx: Context, self: Directory, *, other: Directory) -> Directory:
    return Directory(Ref(Difference(self.at, other.at)), self.platform)


@field("export")
async def export(ctx: Context, self: Directory, *, path: str, wipe: bool = False) -> str:
    view, root = await seen_directory(ctx, self.at)
    if (machine := ctx.engine.machine(ctx.client)) is not None:
        return await nested.export(
            ctx, machine, path, lambda folder: export_directory(view, root, folder, wipe=False), wipe=wipe
        )
    destination = ctx.engine.client_path(ctx.client, path)
    await asyncio.to_thread(export_directory, view, root, destination, wipe=wipe)
    return str(destination)


stat_fields = Fields("Stat")


@stat_fields("name")
async def stat_name(ctx: Context, self: Stat) -> str:
    return self.name


@stat_fields("size")
async def stat_size(ctx: Context, self: Stat) -> int:
    return self.size


@stat_fields("permissions")
async def stat_permissions(ctx: Context, self: Stat) -> int:
    return self.permissions


@stat_fields("fileType")
async def stat_file_type(ctx: Context, self: Stat) -> str:
    return self.file_type
