"""Hands Git's folder in where a call is to know what changed: `--changed-since REF`, or a baseline of the merge base."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLAG = "--changed-since"
_MERGE_BASE = '"merge-base"'
_CONFIGURATIONS = ("pyproject.toml", "sealane.toml")


def completed(words: list[str], environ: Mapping[str, str]) -> list[str]:
    """The words with `--git`, `--git-path` and `--git-head`, unless nothing asks for them or they say it themselves.

    Raises UsageError (`no-repository`) when changes are asked for and there is no repository to know them from.
    """
    asked = _value(words, _FLAG)
    source = _value(words, "--source")
    folder = Path(source) if source else None
    if _value(words, "--git") is not None or (asked is None and not _configured(folder or Path())):
        return words
    if folder is not None and not folder.is_dir():  # somewhere else: its own words say what is wrong with it
        return words
    try:
        found = _git(folder or Path(), environ, "rev-parse", "--git-common-dir", "--show-prefix").splitlines()
        head = _git(folder or Path(), environ, "rev-parse", "--verify", "HEAD^{commit}")
    except (OSError, subprocess.CalledProcessError) as error:
        if asked is None:  # the gate says what it lacks
            return words
        raise UsageError(
            f"what changed since {asked} can't be told: {_said(error, folder or Path())}",
            reason="no-repository",
            hint=f"Run it on a work tree of git, or leave out {_FLAG}.",
        ) from None
    directory = Path(folder or Path(), found[0]).resolve()
    # Without --source it is all of the work tree, as the module's default says.
    path = (found[1] if len(found) > 1 else "").rstrip("/") if folder is not None else ""
    return [f"--git={directory}", f"--git-path={path or '.'}", f"--git-head={head}", *words]


def _value(words: list[str], flag: str) -> str | None:
    for index, word in enumerate(words):
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
        if word == flag and index + 1 < len(words):
            return words[index + 1]
    return None


def _configured(folder: Path) -> bool:
    """Whether the project's configuration may ask for the merge base: its words alone, for they are read in the module."""
    for name in _CONFIGURATIONS:
        try:
            if _MERGE_BASE in (folder / name).read_text(encoding="utf-8").replace("'", '"'):
                return True
        except (OSError, UnicodeDecodeError):
            continue
    return False


def _git(folder: Path, environ: Mapping[str, str], *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, env=dict(environ), capture_output=True, check=True, stdin=subprocess.DEVNULL)
    return done.stdout.decode(errors="replace").strip("\n")


def _said(error: Exception, folder: Path) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        if any("Needed a single revision" in line for line in lines):
            return f"{folder.resolve()} has no commit yet"
        return lines[0] if lines else f"git exited with {error.returncode}"
    return "git is not installed here"
