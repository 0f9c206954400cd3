"""From a source to a module: its types, asked of its process once per content of the source."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from sealane_engine.errors import EngineError, InvalidInput
from sealane_engine.graph.keys import digest_of
from sealane_engine.modules.calls import FunctionCall, run_call
from sealane_engine.modules.custom import customized
from sealane_engine.modules.defaults import user_defaults, with_defaults
from sealane_engine.modules.module import Module
from sealane_engine.modules.publish import main_object, published
from sealane_engine.modules.refused import check
from sealane_engine.modules.serve import announce
from sealane_engine.modules.source import related_source
from sealane_engine.modules.typedefs import Registered

if TYPE_CHECKING:
    from sealane_engine.api.registry import Context
    from sealane_engine.modules.config import Dependency
    from sealane_engine.modules.source import ModuleSource

TABLE = "module-types"
VERSION = "1"


async def load_module(ctx: Context, source: ModuleSource, above: tuple[str, ...] = ()) -> Module:
    """The module of a source, with its types under their schema names, and the modules that it depends on.

    `above` are the sources on the way here, by which a circle of dependencies is told.
    """
    config = source.needs_config()
    dependencies = await _related(ctx, source, config.dependencies, above)
    toolchains = () if above else await _toolchains(ctx, source)
    digest = await source.digest(ctx)
    if dependencies:
        digest = digest_of(["module", digest, [each.digest for each in dependencies]])
    module = Module(source=source, digest=digest, dependencies=dependencies, toolchains=toolchains)
    memo = f"{VERSION}:{digest}"
    known = await asyncio.to_thread(ctx.engine.store.memo, TABLE, memo)
    if known is not None:
        registered = Registered.from_json(json.loads(known))
    else:
        registered = await _register(ctx, module)
        await asyncio.to_thread(ctx.engine.store.put_memo, TABLE, memo, json.dumps(registered.to_json()))
    check(registered, dependencies)
    shown = published(registered, source.module_name, config.name)
    main_object(shown, source.module_name)
    shown = with_defaults(shown, source.module_name, await user_defaults(ctx, source))
    return replace(module, registered=registered, shown=shown)


async def _related(
    ctx: Context, source: ModuleSource, named: tuple[Dependency, ...], above: tuple[str, ...]
) -> tuple[Module, ...]:
    found = []
    way = (*above, source.shown)
    for each in named:
        dependency = await related_source(ctx, source, each)
        if dependency.shown in way:
            raise InvalidInput(
                f"modules depend on each other in a circle: {' → '.join((*way, dependency.shown))}",
                reason="module-circle",
                hint="take one of these dependencies out",
            )
        found.append(await load_module(ctx, dependency, way))
        announce(ctx.engine, found[-1])
    return tuple(found)


async def _toolchains(ctx: Context, source: ModuleSource) -> tuple[Module, ...]:
    """Modules whose functions work on this one's files; what they find by a default path, they find here."""
    named = source.needs_config().toolchains
    loaded = await _related(ctx, source, named, ())
    found = []
    for module, how in zip(loaded, named, strict=True):
        shown = customized(module.shown, module.name, how.customizations)
        mark = digest_of(["toolchain", module.digest, source.shown, [each.key for each in how.customizations]])
        found.append(replace(module, shown=shown, digest=mark, user=source))
    return tuple(found)


async def _register(ctx: Context, module: Module) -> Registered:
    """Have the module's process describe its types."""
    answer = await run_call(ctx, module, FunctionCall(parent={}), f"{module.name}: registration")
    if not isinstance(answer, str):
        raise EngineError(f'module "{module.name}" registered no types', reason="no-types")
    made = await ctx.engine.resolver.evaluate(ctx.client, ctx.engine.ids.load(answer))
    if not isinstance(made, Module):
        raise EngineError(f'module "{module.name}" registered something else than types', reason="no-types")
    return made.registered
