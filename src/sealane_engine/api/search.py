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
from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.host.patterns import IgnoreRules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealane_engine.store.view import TreeView

directory = Fields("Directory")
file = Fields("File")
result = Fields("SearchResult")
submatch = Fields("SearchSubmatch")

_IGNORES = (".ignore", ".rgignore")
_MAX_STEPS = 4096


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
    paths = [_inside(path) for path in options.get("paths") or ()]
    view, root = await seen_directory(ctx, self.at)
    return await asyncio.to_thread(_search_tree, view, root, _compile(pattern, options), options, paths)


@file("search")
async def search_file(ctx: Context, self: File, *, pattern: str, **options: Any) -> list[SearchResult]:
    view, entry = await seen_file(ctx, self.at)
    with view.open(self.at.path) as opened:
        data = opened.read()
    found = _search(posixpath.basename(entry.path), data, _compile(pattern, options), options)
    return list(found)[: options.get("limit")]


def _inside(path: str) -> str:
    """A path to search, relative to the directory and clean."""
    clean = posixpath.normpath(path.lstrip("/") or ".")
    if clean.split("/")[0] == "..":
        raise InvalidInput(
            f"path cannot escape directory: {path}", reason="search-path", hint="give a path in the directory"
        )
    return clean


def _compile(pattern: str, options: dict[str, Any]) -> re.Pattern[bytes]:
    flags = (re.IGNORECASE if options.get("insensitive") else 0) | (re.DOTALL if options.get("dotall") else 0)
    text = re.escape(pattern) if options.get("literal") else pattern
    try:
        return re.compile(text.encode(), flags | re.MULTILINE)
    except re.error as error:
        raise InvalidInput(
            f"invalid pattern {pattern!r}: {error}", reason="pattern", hint="use literal for plain text"
        ) from None


def _search_tree(
    view: TreeView, root: str, pattern: re.Pattern[bytes], options: dict[str, Any], paths: list[str]
) -> list[SearchResult]:
    limit = None if options.get("filesOnly") else options.get("limit")
    found: list[SearchResult] = []
    for relative in _candidates(view, root, options, paths):
        with view.open(posixpath.join(root, relative)) as opened:
            found += _search(relative, opened.read(), pattern, options)
        if limit and len(found) >= limit:
            return found[:limit]
    return found


def _candidates(view: TreeView, root: str, options: dict[str, Any], paths: list[str]) -> Iterator[str]:
    """The files to look into, relative to the directory: those that were named, and what is wanted below the others."""
    ignored = IgnoreRules(_ignore_files(view, root)) if options.get("skipIgnored") else None
    globs = tuple(options.get("globs") or ())
    wanted = IgnoreRules([("", globs)]) if globs else None
    for path in paths or ["."]:
        top = _resolve(view, root, path)
        entry = view.lstat(posixpath.join(root, top) if top != "." else root)
        if entry is None:
            raise NotFound(f"{path}: no such file or directory", reason="path-not-found", hint="list the directory")
        if entry.kind == "file":
            yield top
            continue
        for each, below in view.walk(posixpath.join(root, top) if top != "." else root):
            relative = posixpath.relpath(each, root)
            hidden = options.get("skipHidden") and "/." in "/" + posixpath.relpath(relative, top)
            if below.kind != "file" or hidden or (ignored and ignored.ignored(relative, False)):
                continue
            if wanted is None or wanted.ignored(relative, False) or _only_excluding(globs, wanted, relative):
                yield relative


def _only_excluding(globs: tuple[str, ...], rules: IgnoreRules, path: str) -> bool:
    """When all globs leave something out, what none of them names is meant."""
    if any(not glob.startswith("!") for glob in globs):
        return False
    return not IgnoreRules([("", [glob[1:] for glob in globs])]).ignored(path, False)


def _ignore_files(view: TreeView, root: str) -> list[tuple[str, list[str]]]:
    """What ripgrep ignores: .rgignore over .ignore over .gitignore, and that only in a git repository."""
    names = (".gitignore", ".ignore", ".rgignore") if view.stat(posixpath.join(root, ".git")) else _IGNORES
    lines: dict[str, dict[str, list[str]]] = {}
    for each, entry in view.walk(root):
        name = posixpath.basename(each)
        if entry.kind == "file" and name in names:
            above = posixpath.relpath(posixpath.dirname(each), root)
            with view.open(each) as opened:
                text = opened.read().decode(errors="replace").splitlines()
            lines.setdefault("" if above == "." else above, {})[name] = text
    return [(above, [line for name in names for line in there.get(name, ())]) for above, there in lines.items()]


def _resolve(view: TreeView, root: str, path: str) -> str:
    """A path with its links followed, none of them out of the directory: `/` in a link is the directory itself."""
    pending, done = path.split("/"), ""
    for _ in range(_MAX_STEPS):
        if not pending:
            return done or "."
        name = pending.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            done = posixpath.dirname(done)
            continue
        here = posixpath.join(done, name)
        entry = view.lstat(posixpath.join(root, here))
        if entry is not None and entry.kind == "symlink":
            target = view.readlink(posixpath.join(root, here))
            done = "" if target.startswith("/") else done
            pending = [*target.split("/"), *pending]
        else:
            done = here
    raise InvalidInput(f"{path}: too many levels of links", reason="search-path", hint="name the file itself")


def _search(path: str, data: bytes, pattern: re.Pattern[bytes], options: dict[str, Any]) -> Iterator[SearchResult]:
    if b"\0" in data[:8192]:
        return
    spans = _spans(data, pattern) if options.get("multiline") else _lines(data, pattern)
    for offset, text, matches in spans:
        if options.get("filesOnly"):
            yield SearchResult(path, 0, 0, "", ())
            return
        inner = tuple(Submatch(found.decode(errors="replace"), start, end) for found, start, end in matches)
        yield SearchResult(path, data.count(b"\n", 0, offset) + 1, offset, text.decode(errors="replace"), inner)


_Matches = list[tuple[bytes, int, int]]


def _lines(data: bytes, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, bytes, _Matches]]:
    """Each line with a match: its offset, its text, and what matched where in it."""
    offset = 0
    for line in data.splitlines(keepends=True):
        matches = [(each[0], *each.span()) for each in pattern.finditer(line.rstrip(b"\r\n"))]
        if matches:
            yield offset, line, matches
        offset += len(line)


def _spans(data: bytes, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, bytes, _Matches]]:
    """The same for matches over lines: whole lines, those that share one together."""
    groups: list[tuple[int, int, list[re.Match[bytes]]]] = []
    for each in pattern.finditer(data):
        start = data.rfind(b"\n", 0, each.start()) + 1
        end = data.find(b"\n", max(each.end() - 1, each.start())) + 1 or len(data)
        if groups and start < groups[-1][1]:
            first, last, matches = groups[-1]
            groups[-1] = (first, max(last, end), [*matches, each])
        else:
            groups.append((start, end, [each]))
    for start, end, matches in groups:
        yield start, data[start:end], [(each[0], each.start() - start, each.end() - start) for each in matches]


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
