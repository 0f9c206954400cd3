"""Searching text in directories and files, as ripgrep would."""

from __future__ import annotations

import asyncio
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealane_engine.api.paths import seen_directory, seen_file
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory, File
from sealane_engine.errors import InvalidInput
from sealane_engine.graph.edits import ignore_files
from sealane_engine.host.patterns import Filter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealane_engine.store.view import TreeView

directory = Fields("Directory")
file = Fields("File")
result = Fields("SearchResult")
submatch = Fields("SearchSubmatch")


@dataclass(frozen=True, slots=True)
class Submatch:
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`offset` is in bytes from the file's beginning; lines count from 1."""

    path: str
    line: int
    offset: int
    text: str
    submatches: tuple[Submatch, ...]


@directory("search")
async def search_directory(ctx: Context, self: Directory, *, pattern: str, **options: Any) -> list[SearchResult]:
    view, root = await seen_directory(ctx, self.at)
    return await asyncio.to_thread(_search_tree, view, root, _compile(pattern, options), options)


@file("search")
async def search_file(ctx: Context, self: File, *, pattern: str, **options: Any) -> list[SearchResult]:
    view, entry = await seen_file(ctx, self.at)
    with view.open(self.at.path) as opened:
        data = opened.read()
    found = _search(posixpath.basename(entry.path), data, _compile(pattern, options), options)
    return list(found)[: options.get("limit")]


def _compile(pattern: str, options: dict[str, Any]) -> re.Pattern[bytes]:
    flags = (re.IGNORECASE if options.get("insensitive") else 0) | (re.DOTALL if options.get("dotall") else 0)
    text = re.escape(pattern) if options.get("literal") else pattern
    try:
        return re.compile(text.encode(), flags | re.MULTILINE)
    except re.error as error:
        raise InvalidInput(
            f"invalid pattern {pattern!r}: {error}", reason="pattern", hint="use literal for plain text"
        ) from None


def _search_tree(view: TreeView, root: str, pattern: re.Pattern[bytes], options: dict[str, Any]) -> list[SearchResult]:
    ignored = Filter(gitignore=ignore_files(view, root)).match if options.get("skipIgnored") else None
    wanted = tuple(path.strip("/") for path in options.get("paths") or ())
    globs = Filter(include=tuple(options.get("globs") or ())).match if options.get("globs") else None
    limit = options.get("limit")
    found: list[SearchResult] = []
    for path, entry in view.walk(root):
        relative = posixpath.relpath(path, root)
        if entry.kind != "file" or (options.get("skipHidden") and "/." in "/" + relative):
            continue
        if wanted and not any(relative == each or relative.startswith(each + "/") for each in wanted):
            continue
        if (globs and not globs(relative, False)) or (ignored and not ignored(relative, False)):
            continue
        with view.open(path) as opened:
            found += _search(relative, opened.read(), pattern, options)
        if limit and len(found) >= limit:
            return found[:limit]
    return found


def _search(path: str, data: bytes, pattern: re.Pattern[bytes], options: dict[str, Any]) -> Iterator[SearchResult]:
    if b"\0" in data[:8192]:
        return
    if options.get("multiline"):
        spans = [(match.start(), data[match.start() : match.end()], [match]) for match in pattern.finditer(data)]
    else:
        spans, offset = [], 0
        for line in data.splitlines(keepends=True):
            matches = list(pattern.finditer(line.rstrip(b"\r\n")))
            if matches:
                spans.append((offset, line, matches))
            offset += len(line)
    for offset, text, matches in spans:
        base = offset if options.get("multiline") else 0
        inner = tuple(
            Submatch(match[0].decode(errors="replace"), match.start() - base, match.end() - base) for match in matches
        )
        yield SearchResult(path, data.count(b"\n", 0, offset) + 1, offset, text.decode(errors="replace"), inner)
        if options.get("filesOnly"):
            return


@result("filePath")
async def file_path(ctx: Context, self: SearchResult) -> str:
    return self.path


@result("lineNumber")
async def line_number(ctx: Context, self: SearchResult) -> int:
    return self.line


@result("absoluteOffset")
async def absolute_offset(ctx: Context, self: SearchResult) -> int:
    return self.offset


@result("matchedLines")
async def matched_lines(ctx: Context, self: SearchResult) -> str:
    return self.text


@result("submatches")
async def submatches(ctx: Context, self: SearchResult) -> list[Submatch]:
    return list(self.submatches)


@submatch("text")
async def submatch_text(ctx: Context, self: Submatch) -> str:
    return self.text


@submatch("start")
async def submatch_start(ctx: Context, self: Submatch) -> int:
    return self.start


@submatch("end")
async def submatch_end(ctx: Context, self: Submatch) -> int:
    return self.end
