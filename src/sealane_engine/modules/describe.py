"""All types that a client sees, as type definitions: the core's are read from the schema, a module's are its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sealane_engine.modules.names import lower_camel
from sealane_engine.modules.publish import constructor, entrypoint_functions
from sealane_engine.modules.serve import served
from sealane_engine.modules.typedefs import ArgDef, EnumMember, FieldDef, FunctionDef, TypeDef
from sealane_engine.protocol.schema import expected_type
from sealane_engine.protocol.typeref import TypeRef, parse_type

if TYPE_CHECKING:
    from sealane_engine.protocol.client import Client
    from sealane_engine.protocol.schema import Schema
    from sealane_engine.session import Engine

_SCALARS = {"String": "STRING_KIND", "Int": "INTEGER_KIND", "Float": "FLOAT_KIND", "Boolean": "BOOLEAN_KIND"} | {
    "Void": "VOID_KIND"
}
_KINDS = {
    "OBJECT": "OBJECT_KIND",
    "INTERFACE": "INTERFACE_KIND",
    "ENUM": "ENUM_KIND",
    "SCALAR": "SCALAR_KIND",
    "INPUT_OBJECT": "INPUT_KIND",
}


def type_defs(engine: Engine, client: Client, *, all_types: bool, hide_core: bool) -> list[TypeDef]:
    """Each type once by its canonical name; `hide_core` leaves only modules' functions on Query."""
    schema = engine.schema_of(client)
    own = {each.name: each for entry in served(client) for each in _shown(entry.module)}
    found: dict[str, TypeDef] = dict(own)
    if all_types:
        for name, entry in schema.types.items():
            if name not in own and not _is_legacy(schema, name, entry):
                found[name] = _core_type(schema, name, entry, client, hide_core=hide_core)
    elif not hide_core:
        found["Query"] = _core_type(schema, "Query", schema.types["Query"], client, hide_core=False)
    for used in [use for each in found.values() for use in _uses(each)]:
        _add_use(found, used)
    for name, kind in _SCALARS.items():
        found.setdefault(name, TypeDef(kind, name))
    return list(found.values())


def as_reply(found: list[TypeDef]) -> list[dict[str, Any]]:
    """Type definitions as the query `TypeDefs` of a command line is answered."""
    return [_reply(each) for each in found]


def _shown(module: Any) -> tuple[TypeDef, ...]:
    return (*module.shown.objects, *module.shown.enums, *module.shown.interfaces)


def _is_legacy(schema: Schema, name: str, entry: dict[str, Any]) -> bool:
    return name == "ID" or "o" in entry or schema.id_of(name) is not None


def _core_type(schema: Schema, name: str, entry: dict[str, Any], client: Client, *, hide_core: bool) -> TypeDef:
    kind = _SCALARS.get(name) or _KINDS[entry["k"]]
    if kind == "ENUM_KIND":
        return TypeDef(kind, name, members=tuple(EnumMember(each, each) for each in entry["v"]))
    if kind == "INPUT_KIND":
        fields = tuple(FieldDef(key, use(schema, each["t"], each)) for key, each in entry["n"].items())
        return TypeDef(kind, name, fields=fields)
    if "f" not in entry:
        return TypeDef(kind, name, description=entry.get("p", ""))
    functions = () if name == "Query" and hide_core else _core_functions(schema, name, entry, client)
    if name == "Query":
        functions += _module_functions(client)
    return TypeDef(kind, name, description=entry.get("p", ""), functions=functions)


def _core_functions(schema: Schema, owner: str, entry: dict[str, Any], client: Client) -> tuple[FunctionDef, ...]:
    modules = {function.name for function in _module_functions(client)} if owner == "Query" else set()
    return tuple(
        _core_function(schema, name, each)
        for name, each in entry["f"].items()
        if name != "id" and name not in modules and not (owner == "Query" and name.startswith("load"))
    )


def _core_function(schema: Schema, name: str, entry: dict[str, Any]) -> FunctionDef:
    args = tuple(
        ArgDef(key, use(schema, each["t"], each, optional="d" in each), default=_json_default(each.get("d")))
        for key, each in entry.get("a", {}).items()
    )
    # `sync` and the like answer the id of the object itself
    return FunctionDef(name, use(schema, entry["t"], entry), args)


def _module_functions(client: Client) -> tuple[FunctionDef, ...]:
    """The constructors and entrypoint functions on Query."""
    found: dict[str, FunctionDef] = {}
    for entry in served(client):
        module = entry.module
        found[lower_camel(module.name)] = constructor(module.shown, module.name)
        if entry.entrypoint:
            found |= {each.name: each for each in entrypoint_functions(module.shown, module.name, entry.taken)}
    return tuple(found.values())


def use(schema: Schema, text: str, entry: dict[str, Any], *, optional: bool = False) -> TypeDef:
    """A use of a type as the schema writes it; an ID is the object that it names."""
    return _use(schema, parse_type(text), expected_type(entry), optional=optional)


def _use(schema: Schema, ref: TypeRef, expected: str, *, optional: bool = False) -> TypeDef:
    null = optional or not ref.non_null
    if ref.item is not None:
        return TypeDef("LIST_KIND", optional=null, element=_use(schema, ref.item, expected))
    name = ref.name
    if schema.id_of(name) is not None:
        name = expected or schema.id_of(name) or "Node"
    return TypeDef(_SCALARS.get(name) or _KINDS[schema.kind(name)], name, null)


def _json_default(text: str | None) -> str | None:
    """A default in the schema is a GraphQL literal: an enum's member is bare."""
    if text is None or text == "null":
        return None
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


def _uses(found: TypeDef) -> list[TypeDef]:
    functions = (*found.functions, *((found.constructor,) if found.constructor else ()))
    return [
        *(field.type for field in found.fields),
        *(function.returns for function in functions),
        *(arg.type for function in functions for arg in function.args),
    ]


def _add_use(found: dict[str, TypeDef], used: TypeDef) -> None:
    """Lists, and scalars that nobody defines, are types of their own."""
    if used.element is not None:
        found.setdefault(used.canonical, TypeDef("LIST_KIND", element=used.element))
        _add_use(found, used.element)
    elif used.kind in ("SCALAR_KIND", "ENUM_KIND"):
        found.setdefault(used.canonical, TypeDef(used.kind, used.name))


def _ref(found: TypeDef) -> dict[str, Any]:
    return {"name": found.canonical, "optional": found.optional}


def _function(found: FunctionDef) -> dict[str, Any]:
    return {
        "name": found.name,
        "description": found.description,
        "sourceModuleName": found.module,
        "returnType": _ref(found.returns),
        "args": [
            {
                "name": each.name,
                "description": each.description,
                "defaultValue": each.default or "",
                "defaultPath": each.default_path,
                "ignore": list(each.ignore),
                "typeDef": _ref(each.type),
            }
            for each in found.args
        ],
    }


def _reply(found: TypeDef) -> dict[str, Any]:
    common = {"name": found.name, "description": found.description, "sourceModuleName": found.module}
    functions = [_function(each) for each in found.functions]
    body: dict[str, Any] = {}
    match found.kind:
        case "OBJECT_KIND":
            fields = [{"name": f.name, "description": f.description, "typeDef": _ref(f.type)} for f in found.fields]
            built = _function(found.constructor) if found.constructor else None
            body["asObject"] = {**common, "functions": functions, "fields": fields, "constructor": built}
        case "INTERFACE_KIND":
            body["asInterface"] = {**common, "functions": functions}
        case "ENUM_KIND":
            members = [{"name": each.name, "description": each.description} for each in found.members]
            body["asEnum"] = {**common, "members": members}
        case "SCALAR_KIND":
            body["asScalar"] = common
        case "INPUT_KIND":
            body["asInput"] = {"name": found.name}
        case "LIST_KIND" if found.element is not None:
            body["asList"] = {"elementTypeDef": _ref(found.element)}
    return {"name": found.canonical, "kind": found.kind, "optional": found.optional, **body}
