"""Looking at a place in a tree: does it exist, what is it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane_engine.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from sealane_engine.api.registry import Context
    from sealane_engine.graph.operation import Ref
    from sealane_engine.store.view import Entry, TreeView

TYPES = {"REGULAR_TYPE": "file", "DIRECTORY_TYPE": "dir", "SYMLINK_TYPE": "symlink"}
NAMES = {kind: name for name, kind in TYPES.items()}


@dataclass(frozen=True, slots=True)
class Stat:
    name: str
    size: int
    permissions: int
    file_type: str


def shown(path: str) -> str:
    """A path as errors show it: relative to the directory that was asked."""
    return path.strip("/") or "/"


async def seen(ctx: Context, at: Ref) -> tuple[TreeView, Entry]:
    """The view that holds a place, and what is there; an error if nothing is."""
    view = await ctx.engine.solver.see(at, ctx.asker)
    entry = view.stat(at.path)
    if entry is None:
        raise NotFound(f"stat {shown(at.path)}: no such file or directory", reason="path-not-found")
    return view, entry


async def seen_directory(ctx: Context, at: Ref) -> tuple[TreeView, str]:
    view, entry = await seen(ctx, at)
    if entry.kind != "dir":
        raise InvalidInput(f"open {shown(at.path)}: not a directory", reason="not-a-directory")
    return view, at.path


async def seen_file(ctx: Context, at: Ref) -> tuple[TreeView, Entry]:
    view, entry = await seen(ctx, at)
    if entry.kind == "dir":
        raise InvalidInput(f"path {shown(at.path)} is a directory, not a file", reason="is-a-directory")
    return view, entry


async def tree_exists(ctx: Context, at: Ref, expected: str | None, no_follow: bool) -> bool:
    view = await ctx.engine.solver.see(at, ctx.asker)
    entry = view.lstat(at.path) if no_follow or expected == "SYMLINK_TYPE" else view.stat(at.path)
    return entry is not None and (not expected or entry.kind == TYPES[expected])


async def stat_of(ctx: Context, at: Ref, no_follow: bool) -> Stat | None:
    view = await ctx.engine.solver.see(at, ctx.asker)
    entry = view.lstat(at.path) if no_follow else view.stat(at.path)
    if entry is None:
        raise NotFound(f"stat {shown(at.path)}: no such file or directory", reason="path-not-found")
    return Stat(posixpath.basename(at.path), entry.size, entry.mode & 0o7777, NAMES.get(entry.kind, "UNKNOWN"))
