"""Changesets put together by git's merge, and counted by its diff."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
import posixpath
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.api.changeset import Changeset, Paths, _git_diff, compare
from sealane_engine.api.paths import seen_directory
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory
from sealane_engine.errors import InvalidInput
from sealane_engine.git.command import GitFailed, git, plain_environment
from sealane_engine.graph.operation import Copy, Edit, Filled, Operation, Ref, Remove, Scratch
from sealane_engine.host.export import export_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealane_engine.store.view import TreeView

field = Fields("Changeset")
stat_field = Fields("DiffStat")

# Files are merged as they are: no attribute of theirs changes bytes.
ATTRIBUTES = "* -text -filter -ident !eol !working-tree-encoding\n"
WHO = tuple(
    (f"GIT_{role}_{name}", value)
    for role in ("AUTHOR", "COMMITTER")
    for name, value in (("NAME", "sealane"), ("EMAIL", "sealane@localhost"), ("DATE", "2000-01-01T00:00:00Z"))
)
REASONS = {
    "added": "path added in both changesets",
    "modified": "path modified in both changesets",
    "removed": "path modified in one changeset and removed in the other",
}


@dataclass(frozen=True, slots=True)
class DiffStat:
    path: str
    kind: str
    added_lines: int = 0
    removed_lines: int = 0
    old_path: str | None = None


@stat_field("path")
async def stat_path(ctx: Context, self: DiffStat) -> str:
    return self.path


@stat_field("kind")
async def stat_kind(ctx: Context, self: DiffStat) -> str:
    return self.kind


@stat_field("addedLines")
async def stat_added(ctx: Context, self: DiffStat) -> int:
    return self.added_lines


@stat_field("removedLines")
async def stat_removed(ctx: Context, self: DiffStat) -> int:
    return self.removed_lines


@stat_field("oldPath")
async def stat_old_path(ctx: Context, self: DiffStat) -> str | None:
    return self.old_path


@field("diffStats")
async def diff_stats(ctx: Context, self: Changeset) -> list[DiffStat]:
    """What changed, path by path, with lines as git counts them; sorted."""
    paths = await compare(ctx, self)
    before, old_root = await seen_directory(ctx, self.before.at)
    after, new_root = await seen_directory(ctx, self.after.at)
    with tempfile.TemporaryDirectory(prefix="changes", dir=ctx.engine.scratch) as scratch:
        lines, renamed = await _numstat(Path(scratch), (before, old_root), (after, new_root))
    gone = await asyncio.to_thread(_all_removed, before, old_root, paths)
    kinds = [(path, "ADDED") for path in paths.added] + [(path, "MODIFIED") for path in paths.modified]
    kinds += [(path, "REMOVED") for path in gone if path not in renamed.values()]
    return sorted(
        (
            DiffStat(path, "RENAMED" if path in renamed else kind, *lines.get(path, (0, 0)), renamed.get(path))
            for path, kind in kinds
        ),
        key=lambda stat: stat.path,
    )


def _all_removed(before: TreeView, root: str, paths: Paths) -> list[str]:
    found = []
    for path in paths.removed:
        found.append(path)
        if path.endswith("/"):
            top = posixpath.join(root, path.rstrip("/"))
            below = ((posixpath.relpath(each, root), entry) for each, entry in before.walk(top) if each != top)
            found += [name + "/" if entry.kind == "dir" else name for name, entry in below]
    return found


async def _numstat(
    scratch: Path, before: tuple[TreeView, str], after: tuple[TreeView, str]
) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Lines added and removed by path, and the old path of what was renamed."""

    def commit_tree(view: TreeView, root: str) -> None:
        for each in scratch.iterdir():
            if each.name != ".git":
                shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
        export_directory(view, root, scratch, wipe=False)

    await _init(scratch)
    trees = []
    for view, root in (before, after):
        await asyncio.to_thread(commit_tree, view, root)
        await _run(scratch, "add", "-A", "-f")
        trees.append((await _run(scratch, "write-tree")).strip())
    parts = iter((await _run(scratch, "diff-tree", "-r", "-z", "-M", "--numstat", *trees)).split("\0"))
    lines: dict[str, tuple[int, int]] = {}
    renamed: dict[str, str] = {}
    for part in parts:
        if not part:
            continue
        added, removed, path = part.split("\t", 2)
        if not path:
            old, path = next(parts), next(parts)
            renamed[path] = old
        lines[path] = (int(added) if added != "-" else 0, int(removed) if removed != "-" else 0)
    return lines, renamed


# ---- merging


@field("withChangeset")
async def with_changeset(ctx: Context, self: Changeset, *, changes: Changeset, onConflict: str = "FAIL") -> Changeset:
    return await _merged(ctx, self, [changes], onConflict)


@field("withChangesets")
async def with_changesets(
    ctx: Context, self: Changeset, *, changes: list[Changeset], onConflict: str = "FAIL"
) -> Changeset:
    return await _merged(ctx, self, changes, onConflict) if changes else self


async def _merged(ctx: Context, ours: Changeset, theirs: Sequence[Changeset], on_conflict: str) -> Changeset:
    every = (ours, *theirs)
    paths = [await compare(ctx, each) for each in every]
    conflicts = _conflicts(paths)
    if conflicts and on_conflict == "FAIL_EARLY":
        raise InvalidInput(
            "\n".join(f'conflict between changesets at path "{path}": {REASONS[kind]}' for path, kind in conflicts),
            reason="changeset-conflict",
            hint="merge with another onConflict",
        )
    base: Operation = Scratch()
    for each in every:
        base = Edit(base, Copy(each.before.at, "/"))
    before = Directory(Ref(Edit(base, Remove(("/.git",)))), ours.before.platform)
    inputs = [
        [await ctx.engine.solver.content(side.at, ctx.asker) for side in (each.before, each.after)] for each in every
    ]

    async def fill(folder: Path) -> None:
        view, root = await seen_directory(ctx, before.at)
        await asyncio.to_thread(export_directory, view, root, folder, wipe=False)
        patches = [await _patch(ctx, each) for each in every]
        undecided = [path for path, kind in conflicts if kind == "removed"]
        await _merge(folder, patches, on_conflict, undecided, paths)

    after = Filled("merge", (("changesets", inputs), ("on-conflict", on_conflict)), fill)
    await ctx.engine.solver.tree(after, ctx.asker)
    return Changeset(before, Directory(Ref(after), ours.before.platform))


def _conflicts(paths: Sequence[Paths]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for index, one in enumerate(paths):
        for other in paths[index + 1 :]:
            found |= dict.fromkeys(set(one.added) & set(other.added), "added")
            found |= dict.fromkeys(set(one.modified) & set(other.modified), "modified")
            found |= dict.fromkeys(set(one.modified) & set(other.removed), "removed")
            found |= dict.fromkeys(set(one.removed) & set(other.modified), "removed")
    return sorted(found.items())


async def _patch(ctx: Context, changes: Changeset) -> bytes:
    old, old_root = await seen_directory(ctx, changes.before.at)
    new, new_root = await seen_directory(ctx, changes.after.at)
    return await asyncio.to_thread(_git_diff, old, old_root, new, new_root)


async def _merge(
    folder: Path, patches: Sequence[bytes], on_conflict: str, undecided: Sequence[str], paths: Sequence[Paths]
) -> None:
    await _init(folder)
    await _commit(folder, "base")
    names = ["ours", *(f"theirs{number}" for number in range(1, len(patches)))]
    for name, patch in zip(names, patches, strict=True):
        await _run(folder, "checkout", "-q", "-f", "-b", name, "main")
        if patch:
            await _run(folder, "apply", "--allow-empty", "-", stdin=patch)
        await _commit(folder, name)
    await _run(folder, "checkout", "-q", "-f", "ours")
    prefer = {"PREFER_OURS": ("-X", "ours"), "PREFER_THEIRS": ("-X", "theirs")}.get(on_conflict, ())
    try:
        await _run(folder, "merge", "--no-edit", "--no-commit", *prefer, *names[1:])
    except GitFailed as error:
        if on_conflict in ("FAIL", "FAIL_EARLY"):
            raise InvalidInput(
                f"changesets can't be merged: {error.message}",
                reason="changeset-conflict",
                hint="merge with another onConflict, or change one of them",
            ) from error
    for path in undecided:
        await _decide(folder, path, on_conflict, ours_removed=path in paths[0].removed)
    await asyncio.to_thread(shutil.rmtree, folder / ".git")


async def _decide(folder: Path, path: str, on_conflict: str, *, ours_removed: bool) -> None:
    """One side changed a file that the other removed: the preferred side has its way; with markers, the file stays."""
    ours = {"PREFER_OURS": True, "PREFER_THEIRS": False}.get(on_conflict, not ours_removed)
    if ours == ours_removed:
        await _run(folder, "rm", "-q", "-f", "--ignore-unmatch", "--", path)
    else:
        await _run(folder, "checkout", "-q", "--ours" if ours else "--theirs", "--", path)


async def _init(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    await _run(folder, "init", "-q", "--template=")
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text(ATTRIBUTES)


async def _commit(folder: Path, message: str) -> None:
    await _run(folder, "add", "-A", "-f")
    await _run(folder, "commit", "-q", "--allow-empty", "-m", message)


async def _run(folder: Path, *args: str, stdin: bytes | None = None) -> str:
    environment = plain_environment({"core.autocrlf": "false", "core.quotePath": "false"}, WHO)
    return await git(folder, *args, environment=environment, stdin=stdin)
