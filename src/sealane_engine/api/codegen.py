"""GeneratedCode, which an SDK that is a module answers; and SourceMap, where something stands in a module's code."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory

query = Fields("Query")
generated = Fields("GeneratedCode")
place = Fields("SourceMap")


@dataclass(frozen=True, slots=True)
class GeneratedCode:
    """A directory, and which of its paths version control treats as generated, or leaves out."""

    code: Directory
    generated: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


@query("generatedCode")
async def generated_code(ctx: Context, self: None, *, code: Directory) -> GeneratedCode:
    return GeneratedCode(code)


@generated("code")
async def code_of(ctx: Context, self: GeneratedCode) -> Directory:
    return self.code


@generated("vcsGeneratedPaths")
async def generated_paths(ctx: Context, self: GeneratedCode) -> list[str]:
    return list(self.generated)


@generated("vcsIgnoredPaths")
async def ignored_paths(ctx: Context, self: GeneratedCode) -> list[str]:
    return list(self.ignored)


@generated("withVCSGeneratedPaths")
async def with_generated_paths(ctx: Context, self: GeneratedCode, *, paths: list[str]) -> GeneratedCode:
    return replace(self, generated=tuple(paths))


@generated("withVCSIgnoredPaths")
async def with_ignored_paths(ctx: Context, self: GeneratedCode, *, paths: list[str]) -> GeneratedCode:
    return replace(self, ignored=tuple(paths))


@dataclass(frozen=True, slots=True)
class SourceMap:
    """A place in a module's code: lines and columns from 1. Type definitions don't keep it."""

    filename: str
    line: int
    column: int


@query("sourceMap")
async def source_map(ctx: Context, self: None, *, filename: str, line: int, column: int) -> SourceMap:
    return SourceMap(filename, line, column)


@place("filename")
async def filename_of(ctx: Context, self: SourceMap) -> str:
    return self.filename


@place("line")
async def line_of(ctx: Context, self: SourceMap) -> int:
    return self.line


@place("column")
async def column_of(ctx: Context, self: SourceMap) -> int:
    return self.column


@place("module")
async def module_of(ctx: Context, self: SourceMap) -> str:
    return ""


place("url")(module_of)
