"""The files of a commit in a folder, the same bytes each time; with `.git`, a repository of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.git.command import git, plain_environment

if TYPE_CHECKING:
    from sealane_engine.git.mirror import Mirror
    from sealane_engine.git.refs import Found

TIME_SECONDS = 1
"""Of every file: some tools take the epoch itself for "missing"."""
_LEFT_OVERS = ("FETCH_HEAD", "ORIG_HEAD", "description", "hooks", "info", "logs", "branches")


async def write_files(mirror: Mirror, found: Found, folder: Path, index: Path) -> None:
    """The files alone. `index` is a path that nobody else uses, for git's own notes."""
    where = (
        ("GIT_DIR", str(mirror.folder)),
        ("GIT_WORK_TREE", str(folder)),
        ("GIT_INDEX_FILE", str(index)),
    )
    environment = plain_environment({"core.bare": "false"}, where)
    folder.mkdir(exist_ok=True)
    try:
        await git(folder, "read-tree", found.commit, environment=environment)
        await git(folder, "checkout-index", "--all", "--quiet", "--force", environment=environment)
    finally:
        index.unlink(missing_ok=True)
    await asyncio.to_thread(_settle, folder)


async def write_repository(mirror: Mirror, found: Found, folder: Path, *, depth: int, tags: bool) -> None:
    """The files and a repository with so much history, in which `found` is checked out."""
    folder.mkdir(exist_ok=True)
    await git(folder, "init", "--quiet", "--template=")
    how = [f"--depth={depth}"] if depth > 0 else []
    wanted = [f"{found.commit}:refs/sealane/wanted", *(["refs/tags/*:refs/tags/*"] if tags else [])]
    source = mirror.folder.as_uri()
    await git(folder, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *how, "--", source, *wanted)
    if found.name.startswith("refs/heads/"):
        await git(folder, "symbolic-ref", "HEAD", found.name)
        await git(folder, "update-ref", found.name, found.commit)
    else:
        if found.name.startswith("refs/"):
            await git(folder, "update-ref", found.name, found.commit)
        await git(folder, "update-ref", "--no-deref", "HEAD", found.commit)
    await git(folder, "update-ref", "-d", "refs/sealane/wanted")
    await git(folder, "reset", "--quiet", "--hard", found.commit)
    if mirror.url is not None:
        await git(folder, "remote", "add", "origin", mirror.url.url)
    # one pack of objects in their own order: what came over the wire depends on what was there before
    await git(folder, "repack", "-a", "-d", "-f", "-q")
    await git(folder, "pack-refs", "--all")
    await git(folder, "read-tree", "HEAD")
    await asyncio.to_thread(_tidy, folder)
    await asyncio.to_thread(_settle, folder)


def _tidy(folder: Path) -> None:
    for name in _LEFT_OVERS:
        path = folder / ".git" / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    for path, names, files in os.walk(folder):
        for name in (".", *names, *files):
            os.utime(os.path.join(path, name), (TIME_SECONDS, TIME_SECONDS), follow_symlinks=False)
