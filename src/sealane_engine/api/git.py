"""Git: repositories that lie in a directory. Remote ones come with a later version."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sealane_engine.api.paths import seen_directory
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory
from sealane_engine.git import local
from sealane_engine.graph.operation import HostDirectory, Ref
from sealane_engine.host.export import export_directory

directory = Fields("Directory")
repository = Fields("GitRepository")
reference = Fields("GitRef")


@dataclass(frozen=True, slots=True)
class GitRepository:
    """`folder` is the engine's own copy of it."""

    folder: Path


@dataclass(frozen=True, slots=True)
class GitRef:
    repository: GitRepository
    commit: str
    name: str


def scratch(ctx: Context) -> Path:
    """A new folder that lives as long as the session."""
    return Path(tempfile.mkdtemp(prefix="git", dir=ctx.engine.scratch))


@directory("asGit")
async def as_git(ctx: Context, self: Directory) -> GitRepository:
    view, root = await seen_directory(ctx, self.at)
    folder = scratch(ctx)
    await asyncio.to_thread(export_directory, view, root, folder, wipe=False)
    await local.git(folder, "rev-parse", "--git-dir")
    return GitRepository(folder)


async def _ref(self: GitRepository, name: str) -> GitRef:
    commit, full = await local.resolve(self.folder, name)
    return GitRef(self, commit, full)


@repository("head")
async def head(ctx: Context, self: GitRepository) -> GitRef:
    return await _ref(self, "HEAD")


@repository("ref")
async def ref(ctx: Context, self: GitRepository, *, name: str) -> GitRef:
    return await _ref(self, name)


@repository("branch")
async def branch(ctx: Context, self: GitRepository, *, name: str) -> GitRef:
    return await _ref(self, f"refs/heads/{name.removeprefix('refs/heads/')}")


@repository("tag")
async def tag(ctx: Context, self: GitRepository, *, name: str) -> GitRef:
    return await _ref(self, f"refs/tags/{name.removeprefix('refs/tags/')}")


@repository("commit")
async def commit(ctx: Context, self: GitRepository, **given: str) -> GitRef:
    return await _ref(self, given["id"])


@repository("branches")
async def branches(ctx: Context, self: GitRepository, *, patterns: list[str] | None = None) -> list[str]:
    return await local.names(self.folder, "heads", patterns or ())


@repository("tags")
async def tags(ctx: Context, self: GitRepository, *, patterns: list[str] | None = None) -> list[str]:
    return await local.names(self.folder, "tags", patterns or ())


@reference("commit")
async def ref_commit(ctx: Context, self: GitRef) -> str:
    return self.commit


@reference("ref")
async def ref_name(ctx: Context, self: GitRef) -> str:
    return self.name


@reference("tree")
async def tree(
    ctx: Context, self: GitRef, *, discardGitDir: bool = False, depth: int = 1, includeTags: bool = False
) -> Directory:
    destination = scratch(ctx) / "tree"
    await local.checkout(self.repository.folder, self.commit, destination, keep_git=not discardGitDir)
    return Directory(Ref(HostDirectory(str(destination))))
