"""Edits of a tree: each action as one delta layer."""

from __future__ import annotations

import asyncio
import posixpath
from typing import TYPE_CHECKING

from sealane_engine.errors import NotFound
from sealane_engine.graph.operation import (
    ChangeOwner,
    Copy,
    CopyFiles,
    Edit,
    MakeDirectory,
    MakeSymlink,
    Patch,
    Remove,
    SetTimes,
    WriteFile,
)
from sealane_engine.graph.patch import apply_patch
from sealane_engine.graph.users import find_owner
from sealane_engine.host.patterns import Filter
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from sealane_engine.graph.solve import Asker, Solver
    from sealane_engine.store.edit import Editor
    from sealane_engine.store.view import TreeView

FLATTEN_AT = 200
PATTERN = frozenset("*?[")


async def apply_edit(solver: Solver, operation: Edit, asker: Asker) -> Tree:
    """The tree with the edit made."""
    base = await solver.tree(operation.base, asker)
    action = operation.action
    if isinstance(action, CopyFiles):
        source = await solver.see(action.source, asker)
        tree = await asyncio.to_thread(_copy_files, solver, base, action, source)
    elif isinstance(action, Copy):
        source = await solver.see(action.source, asker)
        if not base.layers and _is_whole(action):
            return source.tree
        tree = await asyncio.to_thread(_copy, solver, base, action, source)
    else:
        tree = await asyncio.to_thread(_edit, solver, base, action)
    return await asyncio.to_thread(solver.store.flatten, tree) if len(tree.layers) > FLATTEN_AT else tree


def _is_whole(action: Copy) -> bool:
    """Whether a copy onto nothing is the source itself."""
    plain = not (action.include or action.exclude or action.gitignore or action.owner) and action.mode is None
    return plain and action.kind == "directory" and action.path == "/" and action.source.path == "/"


def _copy(solver: Solver, base: Tree, action: Copy, source: TreeView) -> Tree:
    uid, gid = find_owner(solver.view(base), action.owner)
    match = _filter(action, source)
    with solver.store.edit(base) as edit:
        edit.copy(source, action.source.path, action.path, match=match, uid=uid, gid=gid, mode=action.mode)
    return edit.tree


def _copy_files(solver: Solver, base: Tree, action: CopyFiles, source: TreeView) -> Tree:
    from sealane_engine.dockerfile.builder import CopyStep
    from sealane_engine.dockerfile.copying import copy_into

    try:
        uid, gid = find_owner(solver.view(base), action.owner)
    except NotFound as error:
        error.message = f"line {action.line} of the Dockerfile: {error.message}"
        raise
    step: CopyStep[None] = CopyStep(
        source=None,
        paths=action.paths,
        dest=action.dest,
        owner=action.owner,
        mode=action.mode,
        exclude=action.exclude,
        parents=action.parents,
        unpack=action.unpack,
        files=action.files,
        link=action.link,
        line=action.line,
    )
    owner = None if uid is None or gid is None else (uid, gid)
    return copy_into(solver.store, base, source, step, owner=owner)


def _filter(action: Copy, source: TreeView) -> Filter | None:
    if not (action.include or action.exclude or action.gitignore):
        return None
    ignore = ignore_files(source, action.source.path) if action.gitignore else ()
    return Filter(include=action.include, exclude=action.exclude, gitignore=ignore)


def ignore_files(view: TreeView, path: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every .gitignore below a path: (its directory relative to the path, its lines)."""
    found = []
    for each, entry in view.walk(path):
        if entry.kind == "file" and posixpath.basename(each) == ".gitignore":
            relative = posixpath.relpath(posixpath.dirname(each), path)
            with view.open(each) as file:
                found.append(
                    ("" if relative == "." else relative, tuple(file.read().decode(errors="replace").splitlines()))
                )
    return tuple(found)


def _edit(solver: Solver, base: Tree, action: object) -> Tree:
    view = solver.view(base)
    with solver.store.edit(base) as edit:
        match action:
            case WriteFile():
                uid, gid = find_owner(view, action.owner)
                edit.write(action.path, action.data, action.mode, uid, gid)
            case MakeDirectory():
                uid, gid = find_owner(view, action.owner)
                edit.mkdir(action.path, action.mode, uid, gid)
            case MakeSymlink():
                edit.symlink(action.target, action.path)
            case Remove():
                _remove(edit, view, action)
            case ChangeOwner():
                uid, gid = find_owner(view, action.owner)
                edit.chown(action.path, uid or 0, gid or 0, recursive=True)
            case SetTimes():
                edit.utime("/", action.seconds)
            case Patch():
                apply_patch(edit, view, action)
            case _:
                raise AssertionError(action)
    return edit.tree


def _remove(edit: Editor, view: TreeView, action: Remove) -> None:
    for pattern in action.paths:
        if not PATTERN & set(pattern):
            edit.remove(pattern)
            continue
        for path in view.glob(pattern.lstrip("/")):
            edit.remove("/" + path.rstrip("/"))
