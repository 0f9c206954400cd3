"""A git repository in a directory of the client's: asked and checked out by the host's git, its own configuration ignored."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from sealane_engine.errors import InvalidInput, NotFound

# Nothing that a repository brings may run on the host: no hooks, no file system monitor, no external protocols.
SAFE = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "safe.directory=*"),
)


async def git(folder: Path, *args: str) -> str:
    """Run git in a folder; the answer is what it printed."""
    if shutil.which("git") is None:
        raise NotFound("git is not installed", reason="git-missing", hint="install it: apt-get install git")
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    process = await asyncio.create_subprocess_exec(
        "git",
        *SAFE,
        *args,
        cwd=folder,
        env={**environment, "HOME": "/nonexistent"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    if process.returncode:
        raise InvalidInput(
            f"git {args[0]}: {stderr.decode(errors='replace').strip() or f'exit status {process.returncode}'}",
            reason="git-failed",
            hint="check the repository and the reference",
        )
    return stdout.decode(errors="replace")


async def names(folder: Path, kind: str, patterns: Sequence[str]) -> list[str]:
    """Branches (`heads`) or tags (`tags`), by name."""
    out = await git(folder, "for-each-ref", "--format=%(refname:strip=2)", f"refs/{kind}")
    from fnmatch import fnmatchcase

    found = out.split()
    return [name for name in found if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)]


async def resolve(folder: Path, reference: str) -> tuple[str, str]:
    """The commit of a reference, and the reference's full name (the commit itself when it is none)."""
    if reference.startswith("-"):
        raise InvalidInput(
            f"invalid reference {reference!r}", reason="git-reference", hint="name a branch, tag or commit"
        )
    commit = (await git(folder, "rev-parse", "--verify", "--end-of-options", f"{reference}^{{commit}}")).strip()
    full = (await git(folder, "rev-parse", "--symbolic-full-name", "--end-of-options", reference)).strip()
    return commit, full.splitlines()[-1] if full else commit


async def checkout(folder: Path, commit: str, destination: Path, *, keep_git: bool) -> None:
    """The files of a commit in a new folder, as their commit left them."""
    await git(folder, "clone", "--quiet", "--no-checkout", "--no-hardlinks", str(folder), str(destination))
    await git(destination, "checkout", "--quiet", "--detach", commit)
    if not keep_git:
        shutil.rmtree(destination / ".git")
