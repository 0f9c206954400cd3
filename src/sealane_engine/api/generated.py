"""Module and ModuleSource: what is made from them, the schema that they are written against, and what their code runs in."""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING

from sealane_engine.api.changeset import Changeset
from sealane_engine.api.drafts import drafted
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Container, Directory, File
from sealane_engine.graph.operation import Copy, Edit, Ref, Scratch, WriteFile
from sealane_engine.modules.bindings import FILE, bindings
from sealane_engine.modules.load import load_module
from sealane_engine.modules.publish import specifications
from sealane_engine.modules.runtime import make_runtime
from sealane_engine.protocol.introspect import STANDARD_QUERY, introspect_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealane_engine.modules.module import Module
    from sealane_engine.modules.source import ModuleSource

module = Fields("Module")
source = Fields("ModuleSource")
current_module = Fields("CurrentModule")


@source("generatedContextDirectory")
async def source_generated(ctx: Context, self: ModuleSource) -> Directory:
    """The client of its dependencies, where its code is; nothing for a module without any."""
    if self.draft:
        return await drafted(ctx, self)
    dependencies = (await load_module(ctx, self)).dependencies
    if not dependencies:
        return Directory()
    path = posixpath.join("/", self.code, FILE)
    return Directory(Ref(Edit(Scratch(), WriteFile(posixpath.normpath(path), bindings(dependencies).encode()))))


@source("generatedContextChangeset")
async def source_changes(ctx: Context, self: ModuleSource) -> Changeset:
    before = self.directory()
    made = await source_generated(ctx, self)
    after = Directory(Ref(Edit(Edit(Scratch(), Copy(before.at, "/")), Copy(made.at, "/"))))
    return Changeset(before, after)


@module("generatedContextDirectory")
async def module_generated(ctx: Context, self: Module) -> Directory:
    return await source_generated(ctx, self.needs_source())


current_module("generatedContextDirectory")(module_generated)


@source("introspectionSchemaJSON")
async def source_schema(ctx: Context, self: ModuleSource) -> File:
    return await module_schema(ctx, await load_module(ctx, self))


@module("introspectionSchemaJSON")
async def module_schema(ctx: Context, self: Module) -> File:
    """Dagger's schema with the types of its dependencies: what a client for its code is made from."""
    return _schema(ctx, self.dependencies)


def _schema(ctx: Context, dependencies: Iterable[Module]) -> File:
    schema = ctx.engine.core
    for each in dependencies:
        schema = schema.extend(specifications(each.shown, each.name, entrypoint=False))
    text = json.dumps(json.loads(introspect_text(schema, STANDARD_QUERY).partition("\n")[2])["data"])
    return File(Ref(Edit(Scratch(), WriteFile("/schema.json", text.encode())), "/schema.json"))


@module("runtime")
async def runtime(ctx: Context, self: Module) -> Container:
    return (await make_runtime(ctx, self)).container
