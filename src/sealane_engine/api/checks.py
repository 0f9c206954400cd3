"""The workspace's checks: module functions marked as checks, run side by side."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
import fnmatch
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.typedefs import ErrorObject
from sealane_engine.errors import EngineError
from sealane_engine.modules.module import Module
from sealane_engine.modules.names import kebab, lower_camel
from sealane_engine.modules.publish import main_object
from sealane_engine.modules.serve import served
from sealane_engine.protocol.call import Call

if TYPE_CHECKING:
    from sealane_engine.modules.typedefs import FunctionDef

query = Fields("Query")
workspace = Fields("Workspace")
module = Fields("Module")
group = Fields("CheckGroup")
check = Fields("Check")


@dataclass(frozen=True, slots=True)
class Workspace:
    """The modules that are served to a client."""

    modules: tuple[Module, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """A function that passes if it doesn't raise. `passed` None: it hasn't run."""

    module: Module
    function: FunctionDef
    passed: bool | None = None
    error: str = ""

    @property
    def name(self) -> str:
        return kebab(self.function.name)


@dataclass(frozen=True, slots=True, eq=False)
class CheckGroup:
    checks: tuple[Check, ...]


@query("currentWorkspace")
async def current_workspace(ctx: Context, self: None) -> Workspace:
    return Workspace(tuple({each.module.digest: each.module for each in served(ctx.client)}.values()))


@workspace("checks")
async def checks(
    ctx: Context,
    self: Workspace,
    *,
    include: list[str] | None = None,
    noGenerate: bool | None = None,
    onlyGenerate: bool | None = None,
) -> CheckGroup:
    if onlyGenerate:
        return CheckGroup(())
    return CheckGroup(tuple(each for one in self.modules for each in _checks(one, include)))


@module("checks")
async def module_checks(
    ctx: Context, self: Module, *, include: list[str] | None = None, noGenerate: bool | None = None
) -> CheckGroup:
    return CheckGroup(tuple(_checks(self, include)))


def _checks(found: Module, include: list[str] | None) -> list[Check]:
    functions = [each for each in main_object(found.shown, found.name).functions if each.check]
    return [Check(found, each) for each in functions if not include or matches(found.name, each.name, include)]


def matches(module_name: str, function: str, patterns: list[str]) -> bool:
    """Whether a pattern names a check: `lint`, `module:lint`, `*:lint`, `module`."""
    own, name = kebab(module_name), kebab(function)
    names = (name, f"{own}:{name}", own)
    return any(fnmatch.fnmatchcase(each, pattern) for pattern in patterns for each in names)


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
            ran[next(i for i, each in enumerate(ran) if each.function is result.function)] = result
            if not result.passed:
                break
    finally:
        for task in tasks:
            task.cancel()
    return CheckGroup(
        tuple(each if each.passed is not None else replace(each, passed=False, error="canceled") for each in ran)
    )


@check("run")
async def run_check(ctx: Context, self: Check) -> Check:
    return await _run(ctx, self)


async def _run(ctx: Context, found: Check) -> Check:
    main = main_object(found.module.shown, found.module.name)
    made = Call.make(None, main.name, lower_camel(found.module.name))
    returns = found.function.returns.leaf
    call = Call.make(made, returns.canonical, found.function.name)
    if returns.kind == "OBJECT_KIND" and returns.name == "Container" and found.function.returns.element is None:
        call = Call.make(call, "ID", "sync")
    try:
        await ctx.engine.resolver.evaluate(ctx.client, call)
    except EngineError as error:
        return replace(found, passed=False, error=error.message)
    return replace(found, passed=True)


@check("name")
async def name(ctx: Context, self: Check) -> str:
    return self.name


@check("path")
async def path(ctx: Context, self: Check) -> list[str]:
    return [self.function.name]


@check("description")
async def description(ctx: Context, self: Check) -> str:
    return self.function.description


@check("checkType")
async def check_type(ctx: Context, self: Check) -> str:
    return "check"


@check("completed")
async def completed(ctx: Context, self: Check) -> bool:
    return self.passed is not None


@check("passed")
async def passed(ctx: Context, self: Check) -> bool:
    return bool(self.passed)


@check("resultEmoji")
async def result_emoji(ctx: Context, self: Check) -> str:
    return "" if self.passed is None else "🟢" if self.passed else "🔴"


@check("error")
async def error_of(ctx: Context, self: Check) -> ErrorObject | None:
    return ErrorObject(self.error) if self.error else None


@check("originalModule")
async def original_module(ctx: Context, self: Check) -> Module:
    return self.module
