"""TypeDef, Function, Module and Error as a registration builds them, and as `currentTypeDefs` is read."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from sealane_engine.api.registry import Context, Fields
from sealane_engine.errors import InvalidInput
from sealane_engine.modules.module import Module
from sealane_engine.modules.typedefs import ArgDef, EnumMember, FieldDef, FunctionDef, TypeDef

query = Fields("Query")
type_def = Fields("TypeDef")
function = Fields("Function")
argument = Fields("FunctionArg")
object_def = Fields("ObjectTypeDef")
interface_def = Fields("InterfaceTypeDef")
input_def = Fields("InputTypeDef")
field_def = Fields("FieldTypeDef")
enum_def = Fields("EnumTypeDef")
member_def = Fields("EnumValueTypeDef")
list_def = Fields("ListTypeDef")
scalar_def = Fields("ScalarTypeDef")
module = Fields("Module")
error = Fields("Error")
error_value = Fields("ErrorValue")


# ---- TypeDef


@query("typeDef")
async def new_type_def(ctx: Context, self: None) -> TypeDef:
    return TypeDef()


@type_def("withKind")
async def with_kind(ctx: Context, self: TypeDef, *, kind: str) -> TypeDef:
    return replace(self, kind=kind)


@type_def("withOptional")
async def with_optional(ctx: Context, self: TypeDef, *, optional: bool) -> TypeDef:
    return replace(self, optional=optional)


@type_def("withListOf")
async def with_list_of(ctx: Context, self: TypeDef, *, elementType: TypeDef) -> TypeDef:
    return replace(self, kind="LIST_KIND", element=elementType)


@type_def("withObject")
async def with_object(
    ctx: Context,
    self: TypeDef,
    *,
    name: str,
    description: str = "",
    sourceMap: Any = None,
    deprecated: str | None = None,
) -> TypeDef:
    return replace(self, kind="OBJECT_KIND", name=name, description=description, deprecated=deprecated)


@type_def("withInterface")
async def with_interface(
    ctx: Context, self: TypeDef, *, name: str, description: str = "", sourceMap: Any = None
) -> TypeDef:
    return replace(self, kind="INTERFACE_KIND", name=name, description=description)


@type_def("withScalar")
async def with_scalar(ctx: Context, self: TypeDef, *, name: str, description: str = "") -> TypeDef:
    return replace(self, kind="SCALAR_KIND", name=name, description=description)


@type_def("withEnum")
async def with_enum(ctx: Context, self: TypeDef, *, name: str, description: str = "", sourceMap: Any = None) -> TypeDef:
    return replace(self, kind="ENUM_KIND", name=name, description=description)


@type_def("withEnumMember")
async def with_enum_member(
    ctx: Context,
    self: TypeDef,
    *,
    name: str,
    value: str = "",
    description: str = "",
    sourceMap: Any = None,
    deprecated: str | None = None,
) -> TypeDef:
    _must_be(self, "ENUM_KIND", "withEnumMember")
    return replace(self, members=(*self.members, EnumMember(name, value, description, deprecated)))


@type_def("withEnumValue")
async def with_enum_value(
    ctx: Context,
    self: TypeDef,
    *,
    value: str,
    description: str = "",
    sourceMap: Any = None,
    deprecated: str | None = None,
) -> TypeDef:
    _must_be(self, "ENUM_KIND", "withEnumValue")
    return replace(self, members=(*self.members, EnumMember(value, value, description, deprecated)))


@type_def("withField")
async def with_field(
    ctx: Context,
    self: TypeDef,
    *,
    name: str,
    typeDef: TypeDef,
    description: str = "",
    sourceMap: Any = None,
    deprecated: str | None = None,
) -> TypeDef:
    _must_be(self, "OBJECT_KIND", "withField")
    return replace(self, fields=(*self.fields, FieldDef(name, typeDef, description, deprecated, name)))


@type_def("withFunction")
async def with_function(ctx: Context, self: TypeDef, *, function: FunctionDef) -> TypeDef:
    if self.kind != "INTERFACE_KIND":
        _must_be(self, "OBJECT_KIND", "withFunction")
    return replace(self, functions=(*self.functions, function))


@type_def("withConstructor")
async def with_constructor(ctx: Context, self: TypeDef, *, function: FunctionDef) -> TypeDef:
    _must_be(self, "OBJECT_KIND", "withConstructor")
    return replace(self, constructor=function)


def _must_be(found: TypeDef, kind: str, field: str) -> None:
    if found.kind != kind:
        raise InvalidInput(
            f"TypeDef.{field} needs {kind}, and this is {found.kind or 'nothing yet'}", reason="type-kind"
        )


@type_def("kind")
async def kind(ctx: Context, self: TypeDef) -> str:
    return self.kind


@type_def("name")
async def type_name(ctx: Context, self: TypeDef) -> str:
    return self.canonical


@type_def("optional")
async def is_optional(ctx: Context, self: TypeDef) -> bool:
    return self.optional


def _as(field: str, wanted: str) -> None:
    async def read(ctx: Context, self: TypeDef) -> TypeDef | None:
        return self if self.kind == wanted else None

    type_def(field)(read)


for _field, _kind in (
    ("asObject", "OBJECT_KIND"),
    ("asInterface", "INTERFACE_KIND"),
    ("asEnum", "ENUM_KIND"),
    ("asScalar", "SCALAR_KIND"),
    ("asInput", "INPUT_KIND"),
    ("asList", "LIST_KIND"),
):
    _as(_field, _kind)


def _reads(fields: Fields, names: dict[str, str]) -> None:
    """Fields that are an attribute of the value."""

    def add(name: str, attribute: str) -> None:
        async def read(ctx: Context, self: Any) -> Any:
            value = getattr(self, attribute)
            return list(value) if isinstance(value, tuple) else value

        fields(name)(read)

    for name, attribute in names.items():
        add(name, attribute)


_COMMON = {"name": "name", "description": "description"}
_reads(object_def, {**_COMMON, "fields": "fields", "functions": "functions", "constructor": "constructor"})
_reads(object_def, {"sourceModuleName": "module", "deprecated": "deprecated"})
_reads(interface_def, {**_COMMON, "functions": "functions", "sourceModuleName": "module"})
_reads(input_def, {"name": "name", "fields": "fields"})
_reads(field_def, {**_COMMON, "typeDef": "type", "deprecated": "deprecated"})
_reads(enum_def, {**_COMMON, "members": "members", "values": "members", "sourceModuleName": "module"})
_reads(member_def, {**_COMMON, "value": "value", "deprecated": "deprecated"})
_reads(list_def, {"elementTypeDef": "element"})
_reads(scalar_def, {**_COMMON, "sourceModuleName": "module"})
_reads(function, {**_COMMON, "args": "args", "returnType": "returns", "sourceModuleName": "module"})
_reads(function, {"deprecated": "deprecated"})
_reads(argument, {**_COMMON, "typeDef": "type", "defaultPath": "default_path", "defaultAddress": "default_address"})
_reads(argument, {"ignore": "ignore", "deprecated": "deprecated"})


@argument("defaultValue")
async def default_value(ctx: Context, self: ArgDef) -> str:
    return self.default or ""


async def _no_source_map(ctx: Context, self: Any) -> None:
    return None


for _fields in (object_def, interface_def, field_def, enum_def, member_def, function, argument):
    _fields("sourceMap")(_no_source_map)


# ---- Function


@query("function")
async def new_function(ctx: Context, self: None, *, name: str, returnType: TypeDef) -> FunctionDef:
    return FunctionDef(name, returnType, original=name)


@function("withDescription")
async def function_description(ctx: Context, self: FunctionDef, *, description: str) -> FunctionDef:
    return replace(self, description=description)


@function("withArg")
async def with_arg(
    ctx: Context,
    self: FunctionDef,
    *,
    name: str,
    typeDef: TypeDef,
    description: str = "",
    defaultValue: str | None = None,
    defaultPath: str = "",
    ignore: list[str] | None = None,
    sourceMap: Any = None,
    deprecated: str | None = None,
    defaultAddress: str = "",
) -> FunctionDef:
    if defaultValue is not None:
        _json(defaultValue, f"the default of argument {name!r}")
    added = ArgDef(
        name, typeDef, description, defaultValue, defaultPath, defaultAddress, tuple(ignore or ()), deprecated, name
    )
    return replace(self, args=(*self.args, added))


@function("withCachePolicy")
async def with_cache_policy(
    ctx: Context, self: FunctionDef, *, policy: str, timeToLive: str | None = None
) -> FunctionDef:
    return replace(self, policy=policy, ttl=timeToLive or "")


@function("withCheck")
async def with_check(ctx: Context, self: FunctionDef) -> FunctionDef:
    return replace(self, check=True)


@function("withGenerator")
async def with_generator(ctx: Context, self: FunctionDef) -> FunctionDef:
    return replace(self, generator=True)


@function("withUp")
async def with_up(ctx: Context, self: FunctionDef) -> FunctionDef:
    return replace(self, up=True)


@function("withDeprecated")
async def with_deprecated(ctx: Context, self: FunctionDef, *, reason: str | None = None) -> FunctionDef:
    return replace(self, deprecated=reason or "")


@function("withSourceMap")
async def with_source_map(ctx: Context, self: FunctionDef, *, sourceMap: Any) -> FunctionDef:
    return self


# ---- Module, as a registration builds it


@query("module")
async def new_module(ctx: Context, self: None) -> Module:
    return Module()


@module("withDescription")
async def module_description(ctx: Context, self: Module, *, description: str) -> Module:
    return self.with_registered(description=description)


@module("withObject")
async def module_object(ctx: Context, self: Module, *, object: TypeDef) -> Module:  # noqa: A002
    _must_be(object, "OBJECT_KIND", "withObject")
    return self.with_registered(objects=(*self.registered.objects, object))


@module("withEnum")
async def module_enum(ctx: Context, self: Module, *, enum: TypeDef) -> Module:
    _must_be(enum, "ENUM_KIND", "withEnum")
    return self.with_registered(enums=(*self.registered.enums, enum))


@module("withInterface")
async def module_interface(ctx: Context, self: Module, *, iface: TypeDef) -> Module:
    _must_be(iface, "INTERFACE_KIND", "withInterface")
    return self.with_registered(interfaces=(*self.registered.interfaces, iface))


# ---- Error


@dataclass(frozen=True, slots=True)
class ErrorValue:
    """A named JSON value of an error."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """An error as a module makes it, to be returned."""

    message: str
    values: tuple[ErrorValue, ...] = ()

    def extensions(self) -> dict[str, Any]:
        return {each.name: json.loads(each.value) for each in self.values}


@query("error")
async def new_error(ctx: Context, self: None, *, message: str) -> ErrorObject:
    return ErrorObject(message)


@error("withValue")
async def with_value(ctx: Context, self: ErrorObject, *, name: str, value: str) -> ErrorObject:
    _json(value, f"value {name!r} of an error")
    return replace(self, values=(*self.values, ErrorValue(name, value)))


_reads(error, {"message": "message", "values": "values"})
_reads(error_value, {"name": "name", "value": "value"})


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidInput(f"{what} is not JSON: {text[:80]!r}", reason="bad-json") from None
