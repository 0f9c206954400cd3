"""One model of why a run was started and on what, whichever vendor started it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from sealane.errors import ConfigError

Environ = Mapping[str, str]


class Event(StrEnum):
    """Why a run was started."""

    PUSH = "push"
    PULL_REQUEST = "pull-request"
    TAG = "tag"
    SCHEDULE = "schedule"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Context:
    """A run's reason and subject. What is not known is empty (0 for the number).

    `branch` is the branch that is built; of a pull request, the one it comes from, and `base` the one it goes to.
    `commit` is what the author pushed, never a merge that the vendor made of it. `base_commit` is the commit that the
    change is measured against. `repository` is `owner/name`. A pull request whose vendor doesn't say where it comes
    from counts as one from a fork. `inputs` are what a person chose who started the run by hand. `committed` is when
    the commit was made, in seconds since the epoch; `registry` and `image_name` are REGISTRY and IMAGE_NAME.
    """

    vendor: str
    event: Event
    branch: str = ""
    base: str = ""
    tag: str = ""
    pull_request: int = 0
    commit: str = ""
    base_commit: str = ""
    message: str = ""
    actor: str = ""
    run_url: str = ""
    repository: str = ""
    default_branch: str = ""
    committed: int = 0
    registry: str = ""
    image_name: str = ""
    fork: bool = False
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def trusted(self) -> bool:
        """Whether what runs was pushed by someone who may push here: only then are secrets given and caches kept."""
        return not self.fork

    @property
    def on_default_branch(self) -> bool:
        return self.event is not Event.PULL_REQUEST and self.branch != "" and self.branch == self.default_branch

    @classmethod
    def from_json(cls, text: str) -> Context:
        """What `as_json` gave, as text; nothing known when it is empty. Raises ConfigError (`bad-context`)."""
        try:
            found = json.loads(text) if text else {}
            return cls(**{"vendor": "local", **found, "event": Event(found.get("event", "manual"))})
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"the context can't be read: {error}",
                reason="bad-context",
                hint="It is an object with `event`, `branch`, `commit` and the other fields of Context.",
            ) from None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "event": self.event.value, "inputs": dict(self.inputs)}


def first(environ: Environ, *names: str) -> str:
    """The value of the first of these variables that has one."""
    return next((environ[name] for name in names if environ.get(name)), "")


def number(text: str) -> int:
    """`12` → 12; anything that isn't a number, like Buildkite's `false`, → 0."""
    return int(text) if text.isascii() and text.isdigit() else 0


def short(ref: str) -> str:
    """`refs/heads/main` → `main`; a name that is short already stays."""
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def ref_of(ref: str, kind: str) -> str:
    """The short name of a full ref of this kind (`heads`, `tags`); empty when it is one of another kind."""
    prefix = f"refs/{kind}/"
    return ref.removeprefix(prefix) if ref.startswith(prefix) else ""


def repository_in(url: str) -> str:
    """`git@host:owner/name.git`, `https://host/owner/name` → `owner/name`; empty for a path on this machine."""
    found = re.search(r"^(?:\w+://|[\w.-]+@).*?[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", url)
    return found[1] if found else ""
