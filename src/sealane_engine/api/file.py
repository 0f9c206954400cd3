"""File: reading, changing and exporting."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
import hashlib
import io
import posixpath
from pathlib import Path
from typing import Any

from sealane_engine.api import nested
from sealane_engine.api.paths import Stat, seen_file, stat_of
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import File
from sealane_engine.errors import InvalidInput
from sealane_engine.graph.operation import ChangeOwner, Copy, Edit, Ref, Scratch, SetTimes, WriteFile
from sealane_engine.host.export import export_file

MAX_CONTENTS = 128 << 20
"""Bytes of a file that is asked for as a text, as with Dagger."""

field = Fields("File")


async def read_bytes(ctx: Context, self: File) -> bytes:
    view, _ = await seen_file(ctx, self.at)

    def read() -> bytes:
        with view.open(self.at.path) as file:
            return file.read()

    return await asyncio.to_thread(read)


def check_file_name(name: str) -> None:
    """Raises InvalidInput (`bad-file-name`)."""
    if "/" in name:
        raise InvalidInput(
            f"file name {name!r} must not contain a directory",
            reason="bad-file-name",
            hint="put the file in a directory by withFile",
        )


def alone(self: File, name: str | None = None) -> Ref:
    """The file as the only one of a tree of its own."""
    name = name or posixpath.basename(self.at.path)
    return Ref(Edit(Scratch(), Copy(self.at, f"/{name}", kind="file")), f"/{name}")


@field("sync")
async def sync(ctx: Context, self: File) -> Any:
    await seen_file(ctx, self.at)
    return ctx.call.receiver


@field("contents")
async def contents(ctx: Context, self: File, *, offsetLines: int | None = None, limitLines: int | None = None) -> str:
    whole = offsetLines is None and limitLines is None
    size = (await seen_file(ctx, self.at))[1].size
    if whole and size > MAX_CONTENTS:
        raise InvalidInput(
            f"file size {size} exceeds limit {MAX_CONTENTS}",
            reason="file-too-large",
            hint="read a part of it by offsetLines and limitLines, or export it",
        )
    text = (await read_bytes(ctx, self)).decode(errors="replace")
    if whole:
        return text
    lines = io.StringIO(text, newline="\n").readlines()[offsetLines or 0 :]
    return "".join(lines[:limitLines] if limitLines else lines)


@field("size")
async def size(ctx: Context, self: File) -> int:
    return (await seen_file(ctx, self.at))[1].size


@field("name")
async def name(ctx: Context, self: File) -> str:
    return posixpath.basename(self.at.path)


@field("digest")
async def digest(ctx: Context, self: File, *, excludeMetadata: bool = False) -> str:
    if excludeMetadata:
        content = hashlib.sha256(await read_bytes(ctx, self)).digest()
        return "sha256:" + hashlib.sha256(content).hexdigest()  # Dagger's is the digest of the content's, too
    return await ctx.engine.solver.content(self.at, ctx.asker)


@field("stat")
async def stat(ctx: Context, self: File) -> Stat | None:
    return await stat_of(ctx, self.at, no_follow=False)


@field("withName")
async def with_name(ctx: Context, self: File, *, name: str) -> File:
    check_file_name(name)
    return File(alone(self, name))


@field("withTimestamps")
async def with_timestamps(ctx: Context, self: File, *, timestamp: int) -> File:
    ref = alone(self)
    return File(Ref(Edit(ref.tree, SetTimes(timestamp)), ref.path))


@field("chown")
async def chown(ctx: Context, self: File, *, owner: str) -> File:
    """Names are looked up where the file is: alone, it has no /etc/passwd beside it."""
    ref = alone(self)
    ids = await ctx.owner_ids(self.at.tree, owner)
    return File(Ref(Edit(ref.tree, ChangeOwner(ref.path, ids)), ref.path))


@field("withReplaced")
async def with_replaced(
    ctx: Context,
    self: File,
    *,
    search: str,
    replacement: str,
    all: bool = False,  # noqa: A002
    firstFrom: int | None = None,
) -> File:
    _, entry = await seen_file(ctx, self.at)
    text = (await read_bytes(ctx, self)).decode()
    start = sum(len(line) for line in text.splitlines(keepends=True)[: firstFrom - 1]) if firstFrom else 0
    head, tail = text[:start], text[start:]
    if search not in tail and all:
        return self
    if search not in tail:
        raise InvalidInput(f"search string not found: {search!r}", reason="search-not-found", hint="check the text")
    if tail.count(search) > 1 and not all and firstFrom is None:
        places = ", ".join(_places(text, search))
        raise InvalidInput(
            f"search string found multiple times: {places}", reason="search-ambiguous", hint="use all or firstFrom"
        )
    tail = tail.replace(search, replacement) if all else tail.replace(search, replacement, 1)
    path = "/" + posixpath.basename(self.at.path)
    return File(Ref(Edit(Scratch(), WriteFile(path, (head + tail).encode(), entry.mode & 0o7777)), path))


def _places(text: str, search: str) -> list[str]:
    places, position = [], text.find(search)
    while position >= 0:
        line = text.count("\n", 0, position) + 1
        column = position - (text.rfind("\n", 0, position) + 1)
        places.append(f"line {line} ({column}-{column + len(search)})")
        position = text.find(search, position + 1)
    return places


@field("export")
async def export(ctx: Context, self: File, *, path: str, allowParentDirPath: bool = False) -> str:
    view, _ = await seen_file(ctx, self.at)
    if (machine := ctx.engine.machine(ctx.client)) is not None:

        def write(place: Path) -> None:
            export_file(view, self.at.path, place, allow_parent_dir=False)

        name = posixpath.basename(self.at.path)
        return await nested.export_file(ctx, machine, path, name, write, into_directory=allowParentDirPath)
    destination = ctx.engine.client_path(ctx.client, path)
    written = await asyncio.to_thread(export_file, view, self.at.path, destination, allow_parent_dir=allowParentDirPath)
    return str(written)
