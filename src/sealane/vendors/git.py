"""What git and the environment say of a run on a laptop: which commit, which branch, and what images are called."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from sealane.vendors.model import Context, Event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_REMOTE = re.compile(r"[:/]([\w.-]+/[\w.-]+?)(\.git)?/?$")


def read(environ: Mapping[str, str], folder: Path) -> Context:
    """The context of `folder`'s commit. What git doesn't know, or isn't there to say, is empty."""
    commit, _, committed = _git(folder, "show", "--no-patch", "--format=%H %ct", "HEAD").partition(" ")
    head = _git(folder, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    remote = _REMOTE.search(_git(folder, "config", "remote.origin.url"))
    return Context(
        "local",
        Event.MANUAL,
        branch=_git(folder, "symbolic-ref", "--quiet", "--short", "HEAD"),
        default_branch=head.removeprefix("origin/"),
        commit=commit,
        committed=int(committed) if committed.isdigit() else 0,
        repository=remote[1] if remote else "",
        registry=environ.get("REGISTRY", ""),
        image_name=environ.get("IMAGE_NAME", ""),
    )


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, check=False, timeout=10, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""
