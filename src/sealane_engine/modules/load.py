"""From a source to a module: its types, asked of its process once per content of the source."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from sealane_engine.errors import EngineError, Unsupported
from sealane_engine.modules.calls import FunctionCall, run_call
from sealane_engine.modules.module import Module
from sealane_engine.modules.publish import main_object, published
from sealane_engine.modules.typedefs import Registered

if TYPE_CHECKING:
    from sealane_engine.api.registry import Context
    from sealane_engine.modules.source import ModuleSource

TABLE = "module-types"
VERSION = "1"


async def load_module(ctx: Context, source: ModuleSource) -> Module:
    """The module of a source, with its types under their schema names."""
    config = source.needs_config()
    if config.dependencies:
        names = ", ".join(name for name, _ in config.dependencies)
        raise Unsupported(
            f'module "{config.name}" depends on other modules ({names}), which the embedded engine does not load yet',
            hint="run it on a Dagger engine: sealane --engine dagger",
        )
    digest = await source.digest(ctx.engine, ctx.asker)
    module = Module(source=source, digest=digest)
    memo = f"{VERSION}:{digest}"
    known = await asyncio.to_thread(ctx.engine.store.memo, TABLE, memo)
    if known is not None:
        registered = Registered.from_json(json.loads(known))
    else:
        registered = await _register(ctx, module)
        await asyncio.to_thread(ctx.engine.store.put_memo, TABLE, memo, json.dumps(registered.to_json()))
    shown = published(registered, config.name)
    main_object(shown, config.name)
    return replace(module, registered=registered, shown=shown)


async def _register(ctx: Context, module: Module) -> Registered:
    """Have the module's process describe its types."""
    answer = await run_call(ctx, module, FunctionCall(parent={}), f"{module.name}: registration")
    if not isinstance(answer, str):
        raise EngineError(f'module "{module.name}" registered no types', reason="no-types")
    made = await ctx.engine.resolver.evaluate(ctx.client, ctx.engine.ids.load(answer))
    if not isinstance(made, Module):
        raise EngineError(f'module "{module.name}" registered something else than types', reason="no-types")
    return made.registered
