"""EnvFile and JSONValue: small documents as values."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import Any

from sealane_engine.api.file import read_bytes
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Container, File, NameValue, Pairs, with_pair
from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.graph.operation import Edit, Ref, Scratch, WriteFile
from sealane_engine.host import dotenv
from sealane_engine.modules.defaults import user_defaults
from sealane_engine.modules.module import Module
from sealane_engine.modules.source import ModuleSource

query = Fields("Query")
file = Fields("File")
env = Fields("EnvFile")
container = Fields("Container")
module = Fields("Module")
source = Fields("ModuleSource")
value = Fields("JSONValue")


@dataclass(frozen=True, slots=True)
class EnvFile:
    """Lines of NAME=value in their order, as written. `context` has those that a namespace left out, for the others."""

    raw: Pairs = ()
    expand: bool = True
    context: Pairs = ()


def _values(ctx: Context, self: EnvFile) -> Pairs:
    if not self.expand:
        return dotenv.unquoted(self.raw)
    return tuple(sorted(dotenv.values(self.raw, self.context, _system(ctx), strict=True)))


def _system(ctx: Context) -> dotenv.LookUp | None:
    """The variables of the client's machine; a module's session has none."""
    if (machine := ctx.engine.machine(ctx.client)) is not None:
        return lambda name: machine.variable(name) or ""
    return (lambda name: os.environ.get(name, "")) if ctx.client.extra.get("workdir") is not None else None


@query("envFile")
async def env_file(ctx: Context, self: None, *, expand: bool | None = None) -> EnvFile:
    return EnvFile()


@file("asEnvFile")
async def as_env_file(ctx: Context, self: File, *, expand: bool | None = None) -> EnvFile:
    return EnvFile(dotenv.parse((await read_bytes(ctx, self)).decode(errors="replace")))


@env("variables")
async def variables(ctx: Context, self: EnvFile, *, raw: bool = False) -> list[NameValue]:
    return [NameValue(*pair) for pair in (tuple(sorted(self.raw)) if raw else _values(ctx, self))]


@env("get")
async def get(ctx: Context, self: EnvFile, *, name: str, raw: bool = False) -> str:
    if raw or not self.expand:
        return dict(self.raw if raw else _values(ctx, self)).get(name, "")
    return dotenv.value(self.raw, name, self.context, _system(ctx))


@env("exists")
async def exists(ctx: Context, self: EnvFile, *, name: str) -> bool:
    return any(known == name for known, _ in self.raw)


@env("withVariable")
async def with_variable(ctx: Context, self: EnvFile, *, name: str, value: str) -> EnvFile:
    return replace(self, raw=dotenv.with_value(self.raw, name, value))


@env("withoutVariable")
async def without_variable(ctx: Context, self: EnvFile, *, name: str) -> EnvFile:
    return replace(self, raw=tuple(pair for pair in self.raw if pair[0] != name))


@container("withEnvFileVariables")
async def with_env_file_variables(ctx: Context, self: Container, *, source: EnvFile) -> Container:
    env = self.config.env
    for name, value in _values(ctx, source):
        env = with_pair(env, name, value)
    return self.with_config(env=env)


@module("userDefaults")
async def module_defaults(ctx: Context, self: Module) -> EnvFile:
    return await source_defaults(ctx, self.needs_source())


@source("userDefaults")
async def source_defaults(ctx: Context, self: ModuleSource) -> EnvFile:
    return EnvFile(tuple((name, f"'{value}'") for name, value in await user_defaults(ctx, self)))


@env("namespace")
async def namespace(ctx: Context, self: EnvFile, *, prefix: str) -> EnvFile:
    inner = dotenv.namespaced(self.raw, prefix)
    others = tuple(pair for pair in self.raw if not dotenv.namespaced((pair,), prefix))
    return replace(self, raw=inner, context=(*self.context, *others))


@env("asFile")
async def as_file(ctx: Context, self: EnvFile) -> File:
    text = "".join(f"{name}={raw}\n" for name, raw in self.raw)
    return File(Ref(Edit(Scratch(), WriteFile("/.env", text.encode())), "/.env"))


# ---- JSON


@dataclass(frozen=True, slots=True)
class JSONValue:
    text: str = "null"

    @property
    def data(self) -> Any:
        return json.loads(self.text)


def _json(data: Any) -> JSONValue:
    return JSONValue(json.dumps(data, ensure_ascii=False, separators=(",", ":")))


def _typed(self: JSONValue, kind: type, name: str) -> Any:
    data = self.data
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise InvalidInput(
            f"JSON value is no {name}: {self.text[:80]}", reason="json-type", hint="look at its contents"
        )
    return data


@query("json")
async def json_query(ctx: Context, self: None) -> JSONValue:
    return JSONValue()


@file("asJSON")
async def as_json(ctx: Context, self: File) -> JSONValue:
    return _parse((await read_bytes(ctx, self)).decode(errors="replace"))


def _parse(text: str) -> JSONValue:
    try:
        return _json(json.loads(text))
    except ValueError as error:
        raise InvalidInput(f"invalid JSON: {error}", reason="json-syntax", hint="check the document") from None


@value("withContents")
async def with_contents(ctx: Context, self: JSONValue, *, contents: str) -> JSONValue:
    return _parse(contents)


@value("contents")
async def contents(ctx: Context, self: JSONValue, *, pretty: bool = False, indent: str = "  ") -> str:
    return json.dumps(self.data, indent=indent, ensure_ascii=False) if pretty else self.text


@value("field")
async def field_(ctx: Context, self: JSONValue, *, path: list[str]) -> JSONValue:
    data = self.data
    for name in path:
        if not isinstance(data, dict) or name not in data:
            raise NotFound(f"JSON value has no field {'.'.join(path)!r}", reason="json-field", hint="list its fields")
        data = data[name]
    return _json(data)


@value("fields")
async def fields(ctx: Context, self: JSONValue) -> list[str]:
    return list(_typed(self, dict, "object"))


@value("asString")
async def as_string(ctx: Context, self: JSONValue) -> str:
    return str(_typed(self, str, "string"))


@value("asInteger")
async def as_integer(ctx: Context, self: JSONValue) -> int:
    return int(_typed(self, int, "integer"))


@value("asBoolean")
async def as_boolean(ctx: Context, self: JSONValue) -> bool:
    return bool(_typed(self, bool, "boolean"))


@value("asArray")
async def as_array(ctx: Context, self: JSONValue) -> list[JSONValue]:
    return [_json(each) for each in _typed(self, list, "array")]


@value("newString")
async def new_string(ctx: Context, self: JSONValue, *, value: str) -> JSONValue:
    return _json(value)


@value("newInteger")
async def new_integer(ctx: Context, self: JSONValue, *, value: int) -> JSONValue:
    return _json(value)


@value("newBoolean")
async def new_boolean(ctx: Context, self: JSONValue, *, value: bool) -> JSONValue:
    return _json(value)


@value("withField")
async def with_field(ctx: Context, self: JSONValue, *, path: list[str], value: JSONValue) -> JSONValue:
    data = self.data if isinstance(self.data, dict) else {}
    inner = data
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
    inner[path[-1]] = value.data
    return _json(data)
