"""Serving a module to a client: its types in the client's schema, its functions as implementations of their fields."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealane_engine.modules.calls import Target, call_function
from sealane_engine.modules.interfaces import fitting
from sealane_engine.modules.module import Module, ModuleObject, WithConstructor
from sealane_engine.modules.names import lower_camel
from sealane_engine.modules.publish import constructor, entrypoint_functions, main_object, specifications
from sealane_engine.modules.values import from_json
from sealane_engine.protocol.call import Call
from sealane_engine.protocol.extension import ArgumentSpec, FieldSpec, ObjectSpec

if TYPE_CHECKING:
    from sealane_engine.api.registry import Context
    from sealane_engine.modules.typedefs import FieldDef, FunctionDef, TypeDef
    from sealane_engine.protocol.client import Client
    from sealane_engine.protocol.schema import Schema
    from sealane_engine.session import Engine

Body = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class ModuleField:
    """A field of a module. It knows the schema that it is part of: whoever holds its id may ask for it."""

    body: Body
    schema: Schema

    async def __call__(self, ctx: Context, self_: Any, **_: Any) -> Any:
        return await self.body(ctx, self_)


@dataclass(frozen=True, slots=True)
class Served:
    """A module that a client sees."""

    module: Module
    entrypoint: bool
    taken: tuple[str, ...]  # names that Query had before


def served(client: Client) -> list[Served]:
    """The modules that a client sees, in the order in which they were served."""
    found: list[Served] = client.extra.setdefault("served", [])
    return found


def serve(engine: Engine, client: Client, module: Module, *, entrypoint: bool) -> None:
    """Add a module to what a client sees. Serving it again changes nothing."""
    there = served(client)
    if any(each.module.digest == module.digest and each.entrypoint >= entrypoint for each in there):
        return
    base = engine.schema_of(client)
    taken = tuple(base.types["Query"]["f"])
    specs = specifications(module.shown, module.name, entrypoint=entrypoint, taken=taken)
    if "_typeDefs" not in taken:
        specs.append(ObjectSpec("Query", (FieldSpec("_typeDefs", "JSON!", (ArgumentSpec("hideCore", "Boolean"),)),)))
    there.append(Served(module, entrypoint, taken))
    schema = base.extend(specs)
    if any(each.module.shown.interfaces for each in there):
        schema = schema.extend(fitting({each.module.digest: each.module for each in there}.values()))
    client.extra["schema"] = schema
    table = {**_bodies(module), ("Query", "_typeDefs"): _type_defs}
    if entrypoint:
        for function in entrypoint_functions(module.shown, module.name, taken):
            table["Query", function.name] = _with if function.name == "with" else _proxy(module)
    scopes = {field: module.scope for type_name, field in table if type_name == "Query" and field != "_typeDefs"}
    client.extra.setdefault("module_scopes", {}).update(scopes)
    _implement(engine, module, table, schema)


def show_own_types(engine: Engine, client: Client, module: Module) -> None:
    """Let a module's process see the types of its own interfaces: by them it asks for what objects of others do."""
    if module.shown.interfaces:
        specs = specifications(module.shown, module.name, entrypoint=False)
        own = [each for each in specs if each.name != "Query"]
        client.extra["schema"] = engine.schema_of(client).extend(own)


def announce(engine: Engine, module: Module) -> None:
    """Let ids be evaluated that name a module's functions, though nobody sees the module: a kept answer of a module
    that depends on it may hold some.
    """
    if engine.modules.fields.get(("Query", lower_camel(module.name))) != module.digest:
        schema = engine.core.extend(specifications(module.shown, module.name, entrypoint=False))
        _implement(engine, module, _bodies(module), schema)


def _bodies(module: Module) -> dict[tuple[str, str], Body]:
    table: dict[tuple[str, str], Body] = {("Query", lower_camel(module.name)): _constructor(module)}
    for each in module.shown.objects:
        for field in each.fields:
            table[each.name, field.name] = _field(module, field)
        for function in each.functions:
            table[each.name, function.name] = _function(module, each, function)
    return table


def _implement(engine: Engine, module: Module, table: dict[tuple[str, str], Body], schema: Schema) -> None:
    engine.resolver.extend({key: ModuleField(body, schema) for key, body in table.items()}, module.scope)
    engine.modules.fields.update(dict.fromkeys(table, module.digest))


def _field(module: Module, field: FieldDef) -> Body:
    """A field is served from the object's state."""

    async def read(ctx: Context, self: ModuleObject) -> Any:
        return await from_json(ctx.engine, ctx.client, module, field.type, self.state.get(field.original))

    return read


def _function(module: Module, owner: TypeDef, function: FunctionDef) -> Body:
    async def run(ctx: Context, self: ModuleObject) -> Any:
        target = Target(module, owner, function, self.state)
        value = await call_function(ctx, target, ctx.call.arguments())
        return await from_json(ctx.engine, ctx.client, module, function.returns, value)

    return run


def _constructor(module: Module) -> Body:
    owner = main_object(module.shown, module.name)
    function = constructor(module.shown, module.name)

    async def run(ctx: Context, _: None) -> ModuleObject:
        if owner.constructor is None:
            return ModuleObject(module, owner.name, {})
        state = await call_function(ctx, Target(module, owner, function, {}), ctx.call.arguments())
        return ModuleObject(module, owner.name, state if isinstance(state, dict) else {})

    return run


async def _with(ctx: Context, _: None) -> WithConstructor:
    return WithConstructor(ctx.call.args)


async def _type_defs(ctx: Context, _: None) -> str:
    """What `currentTypeDefs` says, as one text: our own command line starts with it."""
    from sealane_engine.modules.describe import as_reply, type_defs

    hide = bool(ctx.call.arguments().get("hideCore"))
    return json.dumps(as_reply(type_defs(ctx.engine, ctx.client, all_types=True, hide_core=hide)))


def _proxy(module: Module) -> Body:
    """A function of the main object on Query is the same function on what the constructor makes."""
    name = lower_camel(module.name)
    owner = main_object(module.shown, module.name)

    async def run(ctx: Context, self: WithConstructor | None) -> Any:
        args = dict(self.args) if isinstance(self, WithConstructor) else {}
        made = Call.make(None, owner.name, name, args, scope=module.scope)
        call = Call.make(made, ctx.call.type, ctx.call.field, ctx.call.arguments())
        return await ctx.engine.resolver.evaluate(ctx.client, call)

    return run
