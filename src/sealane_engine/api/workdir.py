"""CurrentModule.workdir: what a module's functions wrote where they run, archived in their sandbox and unpacked here."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from secrets import token_hex

from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory, File
from sealane_engine.errors import InvalidInput
from sealane_engine.graph.operation import Copy, Edit, Filled, Ref, Scratch
from sealane_engine.modules.module import Module

current_module = Fields("CurrentModule")


@current_module("workdir")
async def workdir(
    ctx: Context,
    self: Module,
    *,
    path: str,
    exclude: list[str] | None = None,
    include: list[str] | None = None,
    gitignore: bool = False,
) -> Directory:
    found = await _taken(ctx, self, path)
    return filtered(found, include, exclude, gitignore=gitignore)


@current_module("workdirFile")
async def workdir_file(ctx: Context, self: Module, *, path: str) -> File:
    found = await _taken(ctx, self, path)
    return File(Ref(found.tree, f"/{posixpath.basename(posixpath.normpath(path))}"))


def filtered(at: Ref, include: list[str] | None, exclude: list[str] | None, *, gitignore: bool) -> Directory:
    """What the filters leave of a place."""
    if not (exclude or include or gitignore):
        return Directory(at)
    copy = Copy(at, "/", include=tuple(include or ()), exclude=tuple(exclude or ()), gitignore=gitignore)
    return Directory(Ref(Edit(Scratch(), copy)))


async def _taken(ctx: Context, module: Module, path: str) -> Ref:
    place = posixpath.normpath(path)
    if place.startswith(("/", "..")):
        raise InvalidInput(f"the path {path!r} leaves the module's working directory", reason="workdir-path")
    warm = ctx.engine.modules.running(module.digest)
    if warm is None:
        raise InvalidInput("the module's process has ended", reason="no-current-module")
    return await taken(ctx, partial(warm.take, place))


async def taken(ctx: Context, archive: Callable[[Path], Awaitable[None]]) -> Ref:
    """What `archive` puts into a tar file, as a tree; it is unpacked when somebody asks for what it holds."""
    file = ctx.engine.scratch / f"taken-{token_hex(8)}.tar"
    try:
        await archive(file)
        digest = await asyncio.to_thread(_digest, file)
        data = file.with_name(f"taken-{digest}.tar")
        file.replace(data)
    finally:
        file.unlink(missing_ok=True)
    ids = ctx.engine.store.ids

    async def fill(folder: Path) -> None:
        await asyncio.to_thread(_unpack, data, folder)

    def _unpack(source: Path, folder: Path) -> None:
        from sealane_engine.oci.apply import Archive, apply

        folder.mkdir()
        with source.open("rb") as stream:
            apply(stream, folder, ids, archive=Archive("/"))

    return Ref(Filled("workdir", (("archive", digest),), fill))


def _digest(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
