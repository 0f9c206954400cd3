"""ModuleSource, Module, CurrentModule and the function call that a module's process answers."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.typedefs import ErrorObject
from sealane_engine.api.values import Directory, join
from sealane_engine.errors import InvalidInput
from sealane_engine.modules.calls import FunctionCall
from sealane_engine.modules.load import load_module
from sealane_engine.modules.module import Module
from sealane_engine.modules.serve import serve
from sealane_engine.modules.source import ModuleSource, find_source, related_source, source_in
from sealane_engine.modules.typedefs import TypeDef

query = Fields("Query")
source = Fields("ModuleSource")
module = Fields("Module")
directory = Fields("Directory")
sdk = Fields("SDKConfig")
current_module = Fields("CurrentModule")
function_call = Fields("FunctionCall")
call_argument = Fields("FunctionCallArgValue")


# ---- ModuleSource


@query("moduleSource")
async def module_source(
    ctx: Context,
    self: None,
    *,
    refString: str,
    refPin: str = "",
    disableFindUp: bool = False,
    allowNotExists: bool = False,
    requireKind: str | None = None,
) -> ModuleSource:
    return await find_source(ctx, refString, refPin, find_up=not disableFindUp, must_exist=not allowNotExists)


@source("configExists")
async def config_exists(ctx: Context, self: ModuleSource) -> bool:
    return self.config is not None


@source("asModule")
async def as_module(ctx: Context, self: ModuleSource) -> Module:
    return await load_module(ctx, self)


@source("asString")
async def as_string(ctx: Context, self: ModuleSource) -> str:
    return self.ref if self.git is not None else self.shown


@source("digest")
async def digest(ctx: Context, self: ModuleSource) -> str:
    return await self.digest(ctx)


@source("kind")
async def kind(ctx: Context, self: ModuleSource) -> str:
    return self.kind


@source("moduleName")
async def module_name(ctx: Context, self: ModuleSource) -> str:
    return self.module_name if self.config else ""


@source("moduleOriginalName")
async def module_original_name(ctx: Context, self: ModuleSource) -> str:
    return self.config.name if self.config else ""


@source("engineVersion")
async def engine_version(ctx: Context, self: ModuleSource) -> str:
    return self.config.engine_version if self.config else ""


@source("sourceSubpath")
async def source_subpath(ctx: Context, self: ModuleSource) -> str:
    return self.code if self.config else ""


@source("sourceRootSubpath")
async def source_root_subpath(ctx: Context, self: ModuleSource) -> str:
    return self.subpath


@source("originalSubpath")
async def original_subpath(ctx: Context, self: ModuleSource) -> str:
    return self.subpath


@source("localContextDirectoryPath")
async def local_context(ctx: Context, self: ModuleSource) -> str:
    return self.ground.shown(".") if self.ground.local else ""


@source("contextDirectory")
async def context_directory(ctx: Context, self: ModuleSource) -> Directory:
    return self.directory()


@source("directory")
async def source_directory(ctx: Context, self: ModuleSource, *, path: str) -> Directory:
    return _at(self.directory(), self.subpath, path)


def _at(directory: Directory, *paths: str) -> Directory:
    path = directory.at.path
    for each in paths:
        path = join(path, each)
    return replace(directory, at=replace(directory.at, path=path))


@source("sync")
async def sync_source(ctx: Context, self: ModuleSource) -> Any:
    self.needs_config()
    return ctx.call.receiver


@source("dependencies")
async def source_dependencies(ctx: Context, self: ModuleSource) -> list[ModuleSource]:
    return [await related_source(ctx, self, each) for each in self.needs_config().dependencies]


@source("toolchains")
async def source_toolchains(ctx: Context, self: ModuleSource) -> list[ModuleSource]:
    return [await related_source(ctx, self, each) for each in self.needs_config().toolchains]


@source("cloneRef")
async def clone_ref(ctx: Context, self: ModuleSource) -> str:
    return self.git.url if self.git else ""


@source("repoRootPath")
async def repository_root(ctx: Context, self: ModuleSource) -> str:
    return self.git.url.partition("://")[2] or self.git.url if self.git else ""


@source("commit")
async def commit(ctx: Context, self: ModuleSource) -> str:
    return self.git.commit if self.git else ""


source("pin")(commit)


@source("version")
async def version(ctx: Context, self: ModuleSource) -> str:
    return self.git.version if self.git else ""


@source("htmlRepoURL")
async def html_repository(ctx: Context, self: ModuleSource) -> str:
    return self.git.url.removesuffix(".git") if self.git and self.git.url.startswith("https://") else ""


@source("htmlURL")
async def html(ctx: Context, self: ModuleSource) -> str:
    root = await html_repository(ctx, self)
    return f"{root}/tree/{self.git.commit}/{self.subpath}".removesuffix("/.") if self.git and root else ""


@dataclass(frozen=True, slots=True)
class Sdk:
    """Which SDK a module is written with."""

    source: str


@source("sdk")
async def source_sdk(ctx: Context, self: ModuleSource) -> Sdk | None:
    return Sdk(self.config.sdk) if self.config and self.config.sdk else None


@sdk("source")
async def sdk_source(ctx: Context, self: Sdk) -> str:
    return self.source


@sdk("debug")
async def sdk_debug(ctx: Context, self: Sdk) -> bool:
    return False


@directory("asModuleSource")
async def as_module_source(ctx: Context, self: Directory, *, sourceRootPath: str = ".") -> ModuleSource:
    made = ctx.call.receiver
    assert made is not None
    return await source_in(ctx, made, sourceRootPath)


@directory("asModule")
async def directory_as_module(ctx: Context, self: Directory, *, sourceRootPath: str = ".") -> Module:
    return await load_module(ctx, await as_module_source(ctx, self, sourceRootPath=sourceRootPath))


# ---- Module (building one is api.typedefs')


@module("serve")
async def serve_module(
    ctx: Context, self: Module, *, includeDependencies: bool = False, entrypoint: bool = False
) -> None:
    for each in (*self.toolchains, *(self.dependencies if includeDependencies else ())):
        serve(ctx.engine, ctx.client, each, entrypoint=False)
    serve(ctx.engine, ctx.client, self, entrypoint=entrypoint)


@module("name")
async def name(ctx: Context, self: Module) -> str:
    return self.name


@module("description")
async def description(ctx: Context, self: Module) -> str:
    return self.registered.description


@module("source")
async def source_of(ctx: Context, self: Module) -> ModuleSource | None:
    return self.source


@module("sync")
async def sync(ctx: Context, self: Module) -> Any:
    return ctx.call.receiver


@module("dependencies")
async def dependencies(ctx: Context, self: Module) -> list[Module]:
    return list(self.dependencies)


@module("sdk")
async def module_sdk(ctx: Context, self: Module) -> Sdk | None:
    return Sdk(self.source.config.sdk) if self.source and self.source.config else None


@module("objects")
async def objects(ctx: Context, self: Module) -> list[TypeDef]:
    return list(self.shown.objects)


@module("enums")
async def enums(ctx: Context, self: Module) -> list[TypeDef]:
    return list(self.shown.enums)


@module("interfaces")
async def interfaces(ctx: Context, self: Module) -> list[TypeDef]:
    return list(self.shown.interfaces)


# ---- CurrentModule


@query("currentModule")
async def the_current_module(ctx: Context, self: None) -> Module:
    found: Module | None = ctx.client.extra.get("module")
    if found is None:
        raise InvalidInput("no current module: this client is not a module's function", reason="no-current-module")
    return found


@current_module("name")
async def current_name(ctx: Context, self: Module) -> str:
    return self.name


@current_module("source")
async def current_source(ctx: Context, self: Module) -> Directory:
    found = self.needs_source()
    return _at(found.directory(), found.code)


@current_module("dependencies")
async def current_dependencies(ctx: Context, self: Module) -> list[Module]:
    return list(self.dependencies)


# ---- FunctionCall


@dataclass(frozen=True, slots=True)
class CallArgument:
    """An argument of a function call; `value` is JSON."""

    name: str
    value: str


@query("currentFunctionCall")
async def current_function_call(ctx: Context, self: None) -> FunctionCall:
    found: FunctionCall | None = ctx.client.extra.get("call")
    if found is None:
        raise InvalidInput(
            "no current function call: this client is not a module's function", reason="no-function-call"
        )
    return found


@function_call("name")
async def call_name(ctx: Context, self: FunctionCall) -> str:
    return self.name


@function_call("parentName")
async def parent_name(ctx: Context, self: FunctionCall) -> str:
    return self.parent_name


@function_call("parent")
async def parent(ctx: Context, self: FunctionCall) -> str:
    return json.dumps(self.parent)


@function_call("inputArgs")
async def input_args(ctx: Context, self: FunctionCall) -> list[CallArgument]:
    return [CallArgument(name, json.dumps(value)) for name, value in self.inputs]


@function_call("returnValue")
async def return_value(ctx: Context, self: FunctionCall, *, value: str) -> None:
    try:
        parsed = json.loads(value)
    except ValueError:
        raise InvalidInput("the returned value is not JSON", reason="bad-json") from None
    self.answer(value=parsed)


@function_call("returnError")
async def return_error(ctx: Context, self: FunctionCall, *, error: ErrorObject) -> None:
    self.answer(error=error)


@call_argument("name")
async def argument_name(ctx: Context, self: CallArgument) -> str:
    return self.name


@call_argument("value")
async def argument_value(ctx: Context, self: CallArgument) -> str:
    return self.value
