"""Reads the context: from the vendor's environment, and what that leaves out from git. On a laptop, from git alone."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.errors import ConfigError
from sealane.vendors.model import Context, Environ, Event, number, repository_in
from sealane.vendors.table import VENDORS

if TYPE_CHECKING:
    from sealane.vendors.table import Vendor

__all__ = ["Context", "Event", "detect", "read", "tracked"]

LOCAL = "local"
INPUT = "SEALANE_INPUT_"

# What a wrapper says itself, where the vendor keeps it from the environment; it wins over what we find there.
SAID = {
    "SEALANE_EVENT": "event",
    "SEALANE_BRANCH": "branch",
    "SEALANE_BASE": "base",
    "SEALANE_TAG": "tag",
    "SEALANE_PULL_REQUEST": "pull_request",
    "SEALANE_COMMIT": "commit",
    "SEALANE_BASE_COMMIT": "base_commit",
    "SEALANE_MESSAGE": "message",
    "SEALANE_ACTOR": "actor",
    "SEALANE_RUN_URL": "run_url",
    "SEALANE_REPOSITORY": "repository",
    "SEALANE_DEFAULT_BRANCH": "default_branch",
    "SEALANE_FORK": "fork",
}

# What git itself refuses in a ref's name (see git-check-ref-format), and the dash that would make one an option.
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/]|/$|\.$|\.lock(/|$)|(^|/)\.|^@$")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)*")


def detect(environ: Environ) -> Vendor | None:
    """The vendor whose marks are in the environment; None on a laptop."""
    return next((vendor for vendor in VENDORS.values() if vendor.marks(environ)), None)


def read(environ: Environ, folder: Path | None = None) -> Context:
    """The context of a run in `folder` (by default the current one).

    Raises ConfigError (`bad-ref`, `bad-commit`, `bad-event`, …) when the environment says what git wouldn't allow:
    it is passed on to tools as an argument, so it must be what it says it is.
    """
    vendor = detect(environ)
    context = vendor.read(environ) if vendor else Context(LOCAL, Event.MANUAL)
    context = replace(
        _said(context, environ), registry=environ.get("REGISTRY", ""), image_name=environ.get("IMAGE_NAME", "")
    )
    return _checked(_completed(context, folder or Path()))


def _said(context: Context, environ: Environ) -> Context:
    changes = {field: environ[name] for name, field in SAID.items() if environ.get(name)}
    inputs = {n.removeprefix(INPUT).lower(): v for n, v in environ.items() if n.startswith(INPUT) and v}
    event = changes.pop("event", "")
    fork = changes.pop("fork", "")
    pull_request = changes.pop("pull_request", "")
    if number(pull_request):
        context = replace(context, event=Event.PULL_REQUEST, pull_request=number(pull_request), fork=True)
    elif changes.get("tag"):
        context = replace(context, event=Event.TAG)
    if event:
        if event not in list(Event):
            known = ", ".join(Event)
            raise ConfigError(f"SEALANE_EVENT is {event!r}", reason="bad-event", hint=f"It is one of {known}.")
        context = replace(context, event=Event(event))
    if fork:
        context = replace(context, fork=fork.lower() not in ("false", "0"))
    return replace(context, **changes, inputs={**context.inputs, **inputs})  # type: ignore[arg-type]


def _completed(context: Context, folder: Path) -> Context:
    """Ask git what nobody said. Of a pull request git may have a merge checked out, whose message isn't the author's."""
    missing = {
        name for name in ("commit", "message", "actor", "branch", "default_branch") if not getattr(context, name)
    }
    found: dict[str, str] = {}
    if "commit" in missing:
        found["commit"] = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    commit = context.commit or found.get("commit", "")
    if "message" in missing and _COMMIT.fullmatch(commit):
        found["message"] = _git(folder, "show", "--no-patch", "--format=%B", commit)
    if "actor" in missing and context.vendor == LOCAL:
        found["actor"] = _git(folder, "config", "user.name")
    if "branch" in missing and context.vendor == LOCAL:
        found["branch"] = _git(folder, "symbolic-ref", "--quiet", "--short", "HEAD")
    if "default_branch" in missing:
        head = _git(folder, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        found["default_branch"] = head.removeprefix("origin/")
    if not context.repository and context.vendor == LOCAL:
        found["repository"] = repository_in(_git(folder, "config", "remote.origin.url"))
    committed = _git(folder, "show", "--no-patch", "--format=%ct", commit) if _COMMIT.fullmatch(commit) else ""
    return replace(context, **found, committed=number(committed))  # type: ignore[arg-type]


def tracked(out: Path) -> str:
    """The first report of a run below `out` that is part of the repository; empty when there is none."""
    return _git(Path(), "ls-files", "--", f":(glob){out}/*/run.json").partition("\n")[0]


def _git(folder: Path, *words: str) -> str:
    """What git answers; empty when it is not there, or this is no repository, or it knows nothing of it."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, check=False, timeout=10, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def _checked(context: Context) -> Context:
    where = f"{context.vendor}'s environment" if context.vendor != LOCAL else "git"
    for name in ("branch", "base", "tag", "default_branch"):
        value = getattr(context, name)
        if value and _BAD_REF.search(value):
            raise ConfigError(
                f"the {name.replace('_', ' ')} in {where} is {value!r}, which git does not allow as a name",
                reason="bad-ref",
                hint="Nothing was run. Look at what started this run.",
            )
    for name in ("commit", "base_commit"):
        value = getattr(context, name)
        if value and not _COMMIT.fullmatch(value):
            raise ConfigError(
                f"the {name.replace('_', ' ')} in {where} is {value!r}, which is no commit",
                reason="bad-commit",
                hint="Nothing was run. Look at what started this run.",
            )
    if context.repository and not _REPOSITORY.fullmatch(context.repository):
        raise ConfigError(
            f"the repository in {where} is {context.repository!r}", reason="bad-repository", hint="Write owner/name."
        )
    return context
