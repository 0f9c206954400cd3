"""Changeset: what changed between two directories."""

from __future__ import annotations

import asyncio
import posixpath
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealane_engine.api.paths import seen_directory
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory, File
from sealane_engine.graph.difference import differs
from sealane_engine.graph.operation import Copy, Difference, Edit, Ref, Remove, Scratch, WriteFile
from sealane_engine.host.export import export_directory

if TYPE_CHECKING:
    from sealane_engine.store.view import Entry, TreeView

directory = Fields("Directory")
query = Fields("Query")
field = Fields("Changeset")


@dataclass(frozen=True, slots=True)
class Changeset:
    before: Directory
    after: Directory


@dataclass(frozen=True, slots=True)
class Paths:
    """Relative paths, directories with a slash at the end, sorted."""

    added: list[str]
    modified: list[str]
    removed: list[str]


async def _changes(ctx: Context, self: Directory, **args: Directory) -> Changeset:
    return Changeset(before=args["from"], after=self)  # `from` is no name that Python lets an argument have


directory("changes")(_changes)


@query("changeset")
async def changeset(ctx: Context, self: None) -> Changeset:
    return Changeset(Directory(), Directory())


@directory("withChanges")
async def with_changes(ctx: Context, self: Directory, *, changes: Changeset) -> Directory:
    paths = await compare(ctx, changes)
    root = self.at.path.rstrip("/")
    tree = self.at.tree
    if paths.removed:
        tree = Edit(tree, Remove(tuple(f"{root}/{path.rstrip('/')}" for path in paths.removed)))
    layer = Difference(changes.before.at, changes.after.at)
    return Directory(Ref(Edit(tree, Copy(Ref(layer), self.at.path)), self.at.path), self.platform)


async def compare(ctx: Context, self: Changeset) -> Paths:
    """What was added, modified and removed."""
    before, old_root = await seen_directory(ctx, self.before.at)
    after, new_root = await seen_directory(ctx, self.after.at)
    return await asyncio.to_thread(_compare, before, old_root, after, new_root)


def _compare(before: TreeView, old_root: str, after: TreeView, new_root: str) -> Paths:
    old = {posixpath.relpath(path, old_root): entry for path, entry in before.walk(old_root)}
    new = {posixpath.relpath(path, new_root): entry for path, entry in after.walk(new_root)}
    modified = [
        path
        for path, entry in new.items()
        if path in old and entry.kind != "dir" and differs(before, old[path], after, entry)
    ]
    gone = {path: entry for path, entry in old.items() if path not in new}
    removed = [path for path in gone if posixpath.dirname(path) not in gone]
    return Paths(
        added=sorted(_slashed(path, entry) for path, entry in new.items() if path not in old),
        modified=sorted(modified),
        removed=sorted(_slashed(path, gone[path]) for path in removed),
    )


def _slashed(path: str, entry: Entry) -> str:
    return path + "/" if entry.kind == "dir" else path


@field("before")
async def before(ctx: Context, self: Changeset) -> Directory:
    return self.before


@field("after")
async def after(ctx: Context, self: Changeset) -> Directory:
    return self.after


@field("layer")
async def layer(ctx: Context, self: Changeset) -> Directory:
    return Directory(Ref(Difference(self.before.at, self.after.at)))


@field("addedPaths")
async def added_paths(ctx: Context, self: Changeset) -> list[str]:
    return (await compare(ctx, self)).added


@field("modifiedPaths")
async def modified_paths(ctx: Context, self: Changeset) -> list[str]:
    return (await compare(ctx, self)).modified


@field("removedPaths")
async def removed_paths(ctx: Context, self: Changeset) -> list[str]:
    return (await compare(ctx, self)).removed


@field("isEmpty")
async def is_empty(ctx: Context, self: Changeset) -> bool:
    paths = await compare(ctx, self)
    return not (paths.added or paths.modified or paths.removed)


@field("sync")
async def sync(ctx: Context, self: Changeset) -> Any:
    await compare(ctx, self)
    return ctx.call.receiver


@field("asPatch")
async def as_patch(ctx: Context, self: Changeset) -> File:
    old, old_root = await seen_directory(ctx, self.before.at)
    new, new_root = await seen_directory(ctx, self.after.at)
    patch = await asyncio.to_thread(_git_diff, old, old_root, new, new_root)
    return File(Ref(Edit(Scratch(), WriteFile("/diff.patch", patch)), "/diff.patch"))


def _git_diff(before: TreeView, old_root: str, after: TreeView, new_root: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="changes") as scratch:
        folder = Path(scratch)
        export_directory(before, old_root, folder / "a", wipe=False)
        export_directory(after, new_root, folder / "b", wipe=False)
        command = ["git", "diff", "--no-index", "--no-color", "--binary", "--no-prefix", "--no-ext-diff", "a", "b"]
        environment = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "HOME": scratch}
        return subprocess.run(command, cwd=folder, capture_output=True, check=False, env=environment).stdout


@field("export")
async def export(ctx: Context, self: Changeset, *, path: str) -> str:
    """Write what was added or modified, and remove what was removed, in a directory of the client's machine."""
    paths = await compare(ctx, self)
    destination = ctx.engine.client_path(ctx.client, path)
    view, root = await seen_directory(ctx, Ref(Difference(self.before.at, self.after.at)))
    await asyncio.to_thread(export_directory, view, root, destination, wipe=False)
    await asyncio.to_thread(_remove, destination, paths.removed)
    return str(destination)


def _remove(destination: Path, removed: list[str]) -> None:
    import shutil

    base = destination.resolve()
    for path in removed:
        target = destination / path.rstrip("/")
        if not target.parent.resolve().is_relative_to(base):
            continue  # a link on the client's machine leads out of the directory: not ours to touch
        if not target.parent.is_dir():
            continue  # the directory that it was in has just become a file
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
