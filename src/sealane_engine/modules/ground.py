"""Where a module lies: in a directory of the client's machine, or in a tree such as a git repository's.

Paths are relative to the ground's top (a working copy's root), with `/`, `.` for the top itself.
"""

from __future__ import annotations

import asyncio
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sealane_engine.api.values import Directory
from sealane_engine.errors import InvalidInput
from sealane_engine.graph.operation import Copy, Edit, HostDirectory, Ref, Scratch
from sealane_engine.protocol.call import Call

if TYPE_CHECKING:
    from sealane_engine.api.registry import Context
    from sealane_engine.protocol.client import Client


class Ground(Protocol):
    """What a module's source is asked of. `local`: it is of a client's own machine."""

    @property
    def local(self) -> bool: ...

    async def read(self, ctx: Context, path: str) -> bytes | None:
        """A file's content; None when it isn't there."""

    async def has_directory(self, ctx: Context, path: str) -> bool: ...

    def directory(self, include: tuple[str, ...], exclude: tuple[str, ...]) -> Directory: ...

    def call(self, kind: str, path: str, ignore: tuple[str, ...]) -> Call:
        """The call that answers a Directory or a File of it."""

    def shown(self, path: str) -> str:
        """A path as a person is told of it."""


@dataclass(frozen=True, slots=True)
class HostGround:
    """A directory of a client's machine."""

    client: Client
    top: Path
    local: bool = True

    async def read(self, ctx: Context, path: str) -> bytes | None:  # noqa: ARG002 - a tree is read by its engine
        return await asyncio.to_thread(self._read, path)

    def _read(self, path: str) -> bytes | None:
        try:
            return (self.top / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    async def has_directory(self, ctx: Context, path: str) -> bool:  # noqa: ARG002 - a tree is read by its engine
        return (self.top / path).is_dir()

    def directory(self, include: tuple[str, ...], exclude: tuple[str, ...]) -> Directory:
        return Directory(Ref(HostDirectory(str(self.top), include, exclude)))

    def call(self, kind: str, path: str, ignore: tuple[str, ...]) -> Call:
        found = (self.top / path).resolve()
        if not found.is_relative_to(self.top.resolve()):
            raise outside(path)
        host = Call.make(None, "Host", "host", scope=self.client.id)
        args: dict[str, Any] = {"path": str(found)}
        if kind == "Directory" and ignore:
            args["exclude"] = ignore
        return Call.make(host, kind, kind.lower(), args)

    def shown(self, path: str) -> str:
        return str(self.top if path == "." else self.top / path)


@dataclass(frozen=True, slots=True)
class TreeGround:
    """A directory that `made` answers; `name` is what a person calls it."""

    made: Call
    tree: Directory
    name: str
    local: bool = False

    async def read(self, ctx: Context, path: str) -> bytes | None:
        from sealane_engine.api.paths import seen_directory

        view, root = await seen_directory(ctx, self.tree.at)
        place = posixpath.join(root, path)
        entry = view.stat(place)
        if entry is None or entry.kind != "file":
            return None
        return await asyncio.to_thread(view.read, place)

    async def has_directory(self, ctx: Context, path: str) -> bool:
        from sealane_engine.api.paths import seen_directory

        view, root = await seen_directory(ctx, self.tree.at)
        entry = view.stat(posixpath.normpath(posixpath.join(root, path)))
        return entry is not None and entry.kind == "dir"

    def directory(self, include: tuple[str, ...], exclude: tuple[str, ...]) -> Directory:
        return Directory(Ref(Edit(Scratch(), Copy(self.tree.at, "/", include=include, exclude=exclude))))

    def call(self, kind: str, path: str, ignore: tuple[str, ...]) -> Call:
        if posixpath.normpath(path).startswith(".."):
            raise outside(path)
        if kind == "File":
            return Call.make(self.made, "File", "file", {"path": path})
        found = self.made if path == "." else Call.make(self.made, "Directory", "directory", {"path": path})
        return Call.make(found, "Directory", "filter", {"exclude": ignore}) if ignore else found

    def shown(self, path: str) -> str:
        return self.name if path == "." else f"{self.name}, {path}"


def outside(path: str) -> InvalidInput:
    return InvalidInput(f"the path {path!r} leaves the module's context", reason="default-path-outside")
