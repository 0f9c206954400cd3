"""What a client in a step asks of its own machine, which is that step's sandbox: its files, read, written and as secrets."""

from __future__ import annotations

import asyncio
import posixpath
import tarfile
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.api.values import Directory, File
from sealane_engine.api.workdir import filtered, taken
from sealane_engine.errors import EngineError, InvalidInput, NotFound, Unsupported
from sealane_engine.graph.operation import Ref
from sealane_engine.secrets.secret import MAX_PROVIDED_BYTES, Secret, identified, split

if TYPE_CHECKING:
    from sealane_engine.api.registry import Context
    from sealane_engine.graph.machine import Machine


async def directory(
    ctx: Context,
    machine: Machine,
    path: str,
    include: list[str] | None,
    exclude: list[str] | None,
    *,
    gitignore: bool,
) -> Directory:
    await machine.ready()
    at = await taken(ctx, partial(machine.archive, machine.path(path)))
    return filtered(at, include, exclude, gitignore=gitignore)


async def file(ctx: Context, machine: Machine, path: str) -> File:
    await machine.ready()
    place = machine.path(path)
    at = await taken(ctx, partial(machine.archive_file, place))
    return File(Ref(at.tree, f"/{posixpath.basename(place)}"))


async def find_up(machine: Machine, name: str) -> str | None:
    """The nearest path of that name from the step's working directory upwards, relative to that."""
    await machine.ready()
    start = machine.path(".")
    place = await machine.find_up(name, start)
    return posixpath.relpath(place, start) if place else None


async def export(
    ctx: Context, machine: Machine, path: str, write: Callable[[Path], object], *, wipe: bool = False
) -> str:
    """What `write` puts into a folder, into a directory of the machine. Owners are whoever unpacks it."""
    await machine.ready()
    place = machine.path(path)

    def pack(folder: Path, archive: Path) -> None:
        folder.mkdir()
        write(folder)
        with tarfile.open(archive, "w") as tar:
            for each in sorted(folder.iterdir()):
                tar.add(each, arcname=each.name, filter=_of_root)

    with tempfile.TemporaryDirectory(prefix="export-", dir=ctx.engine.scratch) as scratch:
        archive = Path(scratch, "export.tar")
        await asyncio.to_thread(pack, Path(scratch, "export"), archive)
        await machine.unpack(archive, place, wipe=wipe)
    return place


async def export_file(
    ctx: Context, machine: Machine, path: str, name: str, write: Callable[[Path], object], *, into_directory: bool
) -> str:
    """One file that `write` makes at a path, to a path of the machine; into a directory only if that may be."""
    await machine.ready()
    place = machine.path(path)
    if path.endswith("/") or await machine.is_directory(place):
        if not into_directory:
            raise InvalidInput(
                f'destination "{place}" is a directory; must be a file path unless allowParentDirPath is set',
                reason="is-a-directory",
            )
        place = posixpath.join(place, name)
    folder, called = posixpath.split(place)
    await export(ctx, machine, folder, lambda into: write(into / called))
    return place


async def secret(ctx: Context, machine: Machine, uri: str, cache_key: str) -> Secret:
    """A secret of the step's environment, files or commands. One that can't be read is an error for who uses it."""
    scheme, rest = split(uri)
    if scheme not in ("env", "file", "cmd"):
        raise Unsupported(
            f"secret {scheme}: of a nested session is not implemented by the embedded engine",
            hint="pass the secret to the step as a variable or a file",
        )
    await machine.ready()
    try:
        handle = ctx.engine.secrets.keep(uri, await _plaintext(machine, scheme, rest), MAX_PROVIDED_BYTES)
    except EngineError as error:
        return identified(uri, problem=error)
    return identified(uri, handle=handle, cache_key=cache_key)


async def _plaintext(machine: Machine, scheme: str, rest: str) -> bytes:
    if scheme == "file":
        return await machine.read(machine.path(rest))
    if scheme == "cmd":
        return await machine.said(rest)
    value = machine.variable(rest)
    if value is None:
        shown = rest[:3] + "..." if len(rest) > 3 else rest  # it may be the secret itself
        raise NotFound(
            f'secret env var not found: "{shown}"', reason="secret-not-found", hint="set the variable in the step"
        )
    return value.encode()


def _of_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
