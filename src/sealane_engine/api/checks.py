"""Check and its group: module functions marked as checks, and generators that should have nothing to change."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sealane_engine.api.changeset import Changeset, compare, is_empty
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.typedefs import ErrorObject
from sealane_engine.api.values import File
from sealane_engine.errors import EngineError, InvalidInput
from sealane_engine.graph.operation import Edit, Ref, Scratch, WriteFile
from sealane_engine.modules.marked import Marked, marked
from sealane_engine.modules.module import Module
from sealane_engine.protocol.call import Call

module = Fields("Module")
group = Fields("CheckGroup")
check = Fields("Check")
_SHOWN_PATHS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """A function that passes if it doesn't raise; a generator's, if it would change nothing. `passed` None: not run."""

    marked: Marked
    generate: bool = False
    passed: bool | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CheckGroup:
    checks: tuple[Check, ...]


def checks_of(
    modules: Iterable[Module], include: list[str] | None, *, plain: bool = True, generate: bool = True
) -> CheckGroup:
    """The checks that patterns name. A function that is both a check and a generator is a check."""
    modules = tuple(modules)
    found = [Check(each) for each in marked(modules, "check", include)] if plain else []
    names = {each.marked.name for each in found}
    if generate:
        generators = marked(modules, "generator", include)
        found += [Check(each, generate=True) for each in generators if each.name not in names]
    return CheckGroup(tuple(found))


@module("checks")
async def module_checks(
    ctx: Context, self: Module, *, include: list[str] | None = None, noGenerate: bool | None = None
) -> CheckGroup:
    return checks_of((self,), include, generate=not noGenerate)


@module("check")
async def module_check(ctx: Context, self: Module, *, name: str) -> Check:
    found = checks_of((self,), [name]).checks
    if not found:
        raise InvalidInput(f"module {self.name!r} has no check {name!r}", reason="no-check")
    return found[0]


@group("list")
async def listed(ctx: Context, self: CheckGroup) -> list[Check]:
    return list(self.checks)


@group("run")
async def run_group(ctx: Context, self: CheckGroup, *, failFast: bool | None = None) -> CheckGroup:
    """All of them side by side; one that fails hides no other, unless that is asked for."""
    if not failFast:
        return CheckGroup(tuple(await asyncio.gather(*(_run(ctx, each) for each in self.checks))))
    tasks = {asyncio.create_task(_run(ctx, each)): index for index, each in enumerate(self.checks)}
    ran = list(self.checks)
    try:
        for finished in asyncio.as_completed(tasks):
            result = await finished
            ran[next(i for i, each in enumerate(ran) if each.marked is result.marked)] = result
            if not result.passed:
                break
    finally:
        for task in tasks:
            task.cancel()
    return CheckGroup(
        tuple(each if each.passed is not None else replace(each, passed=False, error="canceled") for each in ran)
    )


@group("report")
async def report(ctx: Context, self: CheckGroup) -> File:
    """A table in Markdown."""
    rows = [("check", "type", "description", "success"), ("--",) * 4]
    for each in self.checks:
        about = each.marked.function.description.replace("\n", " ").replace("|", "\\|")
        rows.append((each.marked.name, _type(each), about, emoji(each)))
    text = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return File(Ref(Edit(Scratch(), WriteFile("/checks.md", text.encode())), "/checks.md"))


@check("run")
async def run_check(ctx: Context, self: Check) -> Check:
    return await _run(ctx, self)


async def _run(ctx: Context, found: Check) -> Check:
    function = found.marked.function
    call = found.marked.call
    if function.returns.kind == "OBJECT_KIND" and function.returns.name == "Container":
        call = Call.make(call, "ID", "sync")
    try:
        made = await ctx.engine.resolver.evaluate(ctx.client, call)
        if found.generate and isinstance(made, Changeset) and not await is_empty(ctx, made):
            return replace(found, passed=False, error=await _stale(ctx, made))
    except EngineError as error:
        return replace(found, passed=False, error=error.message)
    return replace(found, passed=True)


async def _stale(ctx: Context, made: Changeset) -> str:
    paths = await compare(ctx, made)
    changed = [*paths.added, *paths.modified, *paths.removed]
    more = f" and {len(changed) - _SHOWN_PATHS} more" if len(changed) > _SHOWN_PATHS else ""
    return f"generated files are not up to date: {', '.join(changed[:_SHOWN_PATHS])}{more}"


@check("name")
async def name(ctx: Context, self: Check) -> str:
    return self.marked.name


@check("path")
async def path(ctx: Context, self: Check) -> list[str]:
    return self.marked.name.split(":")


@check("description")
async def description(ctx: Context, self: Check) -> str:
    return self.marked.function.description


@check("checkType")
async def check_type(ctx: Context, self: Check) -> str:
    return _type(self)


def _type(found: Check) -> str:
    return "generate" if found.generate else "check"


@check("completed")
async def completed(ctx: Context, self: Check) -> bool:
    return self.passed is not None


@check("passed")
async def passed(ctx: Context, self: Check) -> bool:
    return bool(self.passed)


@check("resultEmoji")
async def result_emoji(ctx: Context, self: Check) -> str:
    return emoji(self)


def emoji(found: Check) -> str:
    return "" if found.passed is None else "🟢" if found.passed else "🔴"


@check("error")
async def error_of(ctx: Context, self: Check) -> ErrorObject | None:
    return ErrorObject(self.error) if self.error else None


@check("originalModule")
async def original_module(ctx: Context, self: Check) -> Module:
    return self.marked.module
