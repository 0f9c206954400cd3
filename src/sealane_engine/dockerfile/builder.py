"""Who makes root file systems for a Dockerfile: its steps as data, and what carries them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from sealane_engine.dockerfile.mounts import RunMount

S = TypeVar("S")
"""A root file system, as the builder has it: a value that is never changed. It may be lazy."""


@dataclass(frozen=True, slots=True)
class RunStep(Generic[S]):
    """A command. `env` is the image's environment and the arguments in scope; `cwd` is absolute; `user` may be "".

    `mounts` are in the order written; a bind's or cache's source is `sources[index]` when it comes from a stage or
    image, else the build context. `script`: a file (path, content) to mount for the command, mode 0755.
    """

    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    cwd: str
    user: str
    mounts: tuple[RunMount, ...] = ()
    sources: Mapping[int, S] = field(default_factory=dict)
    network: str = ""
    security: str = ""
    script: tuple[str, str] | None = None
    line: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class CopyStep(Generic[S]):
    """A COPY or ADD. `source` None is the build context, else the root of a stage or image.

    `paths` may hold patterns and are relative to the source's root; with `parents`, `a/./b` keeps `b` alone. `dest` is
    absolute and ends with a slash when it is a directory; `files` are here-documents (name, content). `mode` is as
    chmod takes it, or "". `unpack`: archives are unpacked into `dest`. `urls` are fetched (ADD): files, and
    git repositories, whose `.git` stays with `keep_git`; `checksum` is what they must have. `link`: nothing that is there already is looked at, not even links on the way to `dest`.
    """

    source: S | None
    paths: tuple[str, ...]
    dest: str
    owner: str = ""
    mode: str = ""
    exclude: tuple[str, ...] = ()
    parents: bool = False
    unpack: bool = False
    files: tuple[tuple[str, str], ...] = ()
    urls: tuple[str, ...] = ()
    keep_git: bool = False
    checksum: str = ""
    link: bool = False
    line: int = 0
    text: str = ""


class Builder(Protocol[S]):
    """Makes root file systems. Every method answers a new value and leaves the one it was given as it is."""

    async def scratch(self, platform: str) -> S:
        """An empty root."""
        ...

    async def image(self, ref: str, platform: str) -> tuple[S, Mapping[str, Any]]:
        """A base image's root and its `config` (Env, Entrypoint, …, as in an OCI image configuration)."""
        ...

    async def run(self, state: S, step: RunStep[S], platform: str) -> S:
        """The root after a command."""
        ...

    async def copy(self, state: S, step: CopyStep[S]) -> S:
        """The root with files copied into it (see `copying.copy_into`)."""
        ...

    async def make_directory(self, state: S, path: str, owner: str) -> S:
        """The root with a directory (0755), made unless it is there; missing parents too. `owner` "" is root."""
        ...
