"""Generator and its group: module functions that answer what they would change in the workspace."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sealane_engine.api.changeset import Changeset, is_empty
from sealane_engine.api.merge import with_changesets
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory
from sealane_engine.errors import EngineError, InvalidInput
from sealane_engine.modules.marked import Marked, marked
from sealane_engine.modules.module import Module

module = Fields("Module")
current_module = Fields("CurrentModule")
group = Fields("GeneratorGroup")
generator = Fields("Generator")


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """`changes` is what it answered when it ran; `error` why it answered nothing."""

    marked: Marked
    completed: bool = False
    changes: Changeset | None = None
    error: EngineError | None = None

    def needs_changes(self, field: str) -> Changeset:
        if not self.completed:
            raise InvalidInput(
                f"generator {self.marked.name!r} must be run before {field} is asked", reason="generator-not-run"
            )
        if self.changes is None:
            raise self.error or InvalidInput(
                f"generator {self.marked.name!r} did not answer a changeset", reason="generator-no-changes"
            )
        return self.changes


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorGroup:
    generators: tuple[Generator, ...]


def generators_of(modules: Iterable[Module], include: list[str] | None) -> GeneratorGroup:
    return GeneratorGroup(tuple(Generator(each) for each in marked(modules, "generator", include)))


@module("generators")
async def module_generators(ctx: Context, self: Module, *, include: list[str] | None = None) -> GeneratorGroup:
    return generators_of((self,), include)


current_module("generators")(module_generators)


@module("generator")
async def module_generator(ctx: Context, self: Module, *, name: str) -> Generator:
    found = generators_of((self,), [name]).generators
    if not found:
        raise InvalidInput(f"module {self.name!r} has no generator {name!r}", reason="no-generator")
    return found[0]


@group("list")
async def listed(ctx: Context, self: GeneratorGroup) -> list[Generator]:
    return list(self.generators)


@group("run")
async def run_group(ctx: Context, self: GeneratorGroup) -> GeneratorGroup:
    """All of them side by side; the first that fails is the group's failure, after all have ended."""
    ran = await asyncio.gather(*(run(ctx, each) for each in self.generators))
    for each in ran:
        if each.error is not None:
            raise each.error
    return GeneratorGroup(tuple(ran))


@group("isEmpty")
async def group_is_empty(ctx: Context, self: GeneratorGroup) -> bool:
    return all([await is_empty(ctx, each.needs_changes("isEmpty")) for each in self.generators])


@group("changes")
async def group_changes(ctx: Context, self: GeneratorGroup, *, onConflict: str = "FAIL_EARLY") -> Changeset:
    changes = [each.needs_changes("changes") for each in self.generators]
    if len(changes) == 1:
        return changes[0]
    return await with_changesets(ctx, Changeset(Directory(), Directory()), changes=changes, onConflict=onConflict)


@generator("run")
async def run(ctx: Context, self: Generator) -> Generator:
    """Call the function; what it raises is kept, for a group reports when all have ended."""
    try:
        made = await ctx.engine.resolver.evaluate(ctx.client, self.marked.call)
    except EngineError as error:
        return replace(self, completed=True, changes=None, error=error)
    return replace(self, completed=True, changes=made if isinstance(made, Changeset) else None)


@generator("changes")
async def changes(ctx: Context, self: Generator) -> Changeset:
    return self.needs_changes("changes")


@generator("isEmpty")
async def generator_is_empty(ctx: Context, self: Generator) -> bool:
    return await is_empty(ctx, self.needs_changes("isEmpty"))


@generator("completed")
async def completed(ctx: Context, self: Generator) -> bool:
    return self.completed


@generator("name")
async def name(ctx: Context, self: Generator) -> str:
    return self.marked.name


@generator("path")
async def path(ctx: Context, self: Generator) -> list[str]:
    return self.marked.name.split(":")


@generator("description")
async def description(ctx: Context, self: Generator) -> str:
    return self.marked.function.description


@generator("originalModule")
async def original_module(ctx: Context, self: Generator) -> Module:
    return self.marked.module
