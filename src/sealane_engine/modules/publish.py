"""A registered module as the schema shows it: names cased and namespaced, types checked, arguments with their defaults."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sealane_engine.errors import InvalidInput
from sealane_engine.modules.names import camel, lower_camel
from sealane_engine.modules.typedefs import ArgDef, FieldDef, FunctionDef, Registered, TypeDef
from sealane_engine.protocol.extension import ArgumentSpec, EnumSpec, FieldSpec, ObjectSpec, Specification

if TYPE_CHECKING:
    from collections.abc import Iterable


def namespaced(name: str, module: str, original: str = "") -> str:
    """An object's name in the schema: the main object's is the module's, another's begins with it.

    `original` is the module's own name, where who depends on it has given it another.
    """
    own, prefix = camel(name), camel(module)
    if own in (prefix, camel(original)):
        return prefix
    rest = own.removeprefix(prefix)
    return own if rest != own and rest[:1].isupper() else prefix + own


def published(registered: Registered, module: str, original: str = "") -> Registered:
    """The module's types under their schema names; each type's `original` keeps the registered one."""
    own = {each.name: namespaced(each.name, module, original) for each in _all(registered)}
    own |= {camel(name): shown for name, shown in own.items()}
    return Registered(
        registered.description,
        tuple(_object(each, own, module) for each in registered.objects),
        tuple(replace(each, name=own[each.name], original=each.name, module=module) for each in registered.enums),
        tuple(_object(each, own, module) for each in registered.interfaces),
    )


def main_object(shown: Registered, module: str) -> TypeDef:
    """The object that the constructor answers."""
    name = camel(module)
    for each in shown.objects:
        if each.name == name:
            return each
    raise InvalidInput(
        f'module "{module}" has no object "{name}"',
        reason="no-main-object",
        hint=f"name a class decorated with @dagger.object_type {name}",
    )


def constructor(shown: Registered, module: str) -> FunctionDef:
    """The function on Query that makes the main object."""
    found = main_object(shown, module)
    made = TypeDef("OBJECT_KIND", found.name)
    base = found.constructor or FunctionDef("", made)
    return replace(base, name=lower_camel(module), returns=made, original="", module=module)


def specifications(
    shown: Registered, module: str, *, entrypoint: bool, taken: Iterable[str] = ()
) -> list[Specification]:
    """What the schema gets: the module's types, its constructor and, as an entrypoint, its functions on Query."""
    build = constructor(shown, module)
    roots = [_function_spec(build)]
    if entrypoint:
        roots += [_function_spec(each) for each in entrypoint_functions(shown, module, taken)]
    specs: list[Specification] = [
        EnumSpec(each.name, tuple((member.name, member.value) for member in each.members), each.description)
        for each in shown.enums
    ]
    for each in (*shown.objects, *shown.interfaces):
        fields = [FieldSpec(f.name, f.type.graphql, description=f.description) for f in each.fields]
        fields += [_function_spec(function) for function in each.functions]
        specs.append(
            ObjectSpec(each.name, tuple(fields), description=each.description, interface=each in shown.interfaces)
        )
    return [*specs, ObjectSpec("Query", tuple(roots))]


def entrypoint_functions(shown: Registered, module: str, taken: Iterable[str] = ()) -> list[FunctionDef]:
    """The main object's functions and fields as functions on Query, and `with`, which takes the constructor's arguments.

    A function whose name Query has already is reached through the constructor alone.
    """
    found = main_object(shown, module)
    names = {*taken, lower_camel(module)}
    fields = [
        FunctionDef(f.name, f.type, description=f.description, module=module, original=f.original) for f in found.fields
    ]
    functions = [each for each in (*fields, *found.functions) if each.name not in names]
    build = constructor(shown, module)
    if build.args and "with" not in names:
        functions.append(replace(build, name="with", returns=TypeDef("OBJECT_KIND", "Query"), description=""))
    return functions


def _all(registered: Registered) -> tuple[TypeDef, ...]:
    return (*registered.objects, *registered.enums, *registered.interfaces)


def _object(found: TypeDef, own: dict[str, str], module: str) -> TypeDef:
    return replace(
        found,
        name=own[found.name],
        original=found.name,
        module=module,
        fields=tuple(_field(each, own) for each in found.fields),
        functions=tuple(_function(each, own, module) for each in found.functions),
        constructor=_function(found.constructor, own, module) if found.constructor else None,
    )


def _field(found: FieldDef, own: dict[str, str]) -> FieldDef:
    return replace(found, name=lower_camel(found.name), type=_use(found.type, own), original=found.name)


def _function(found: FunctionDef, own: dict[str, str], module: str) -> FunctionDef:
    return replace(
        found,
        name=lower_camel(found.name),
        returns=_use(found.returns, own),
        args=tuple(_argument(each, own) for each in found.args),
        module=module,
        original=found.name,
    )


def _argument(found: ArgDef, own: dict[str, str]) -> ArgDef:
    use = _use(found.type, own)
    return replace(
        found,
        name=lower_camel(found.name),
        # the engine finds it when it isn't given
        type=replace(use, optional=True) if found.contextual else use,
        original=found.name,
    )


def _use(found: TypeDef, own: dict[str, str]) -> TypeDef:
    """A use of a type: its name in the schema, without the body."""
    if found.element is not None:
        return replace(found, element=_use(found.element, own))
    return TypeDef(found.kind, own.get(found.name, found.name), found.optional)


def _function_spec(function: FunctionDef) -> FieldSpec:
    return FieldSpec(
        function.name,
        function.returns.graphql,
        tuple(_argument_spec(each) for each in function.args),
        description=function.description,
    )


def _argument_spec(argument: ArgDef) -> ArgumentSpec:
    leaf = argument.type.leaf
    is_object = leaf.kind in ("OBJECT_KIND", "INTERFACE_KIND")
    text = argument.type.graphql
    default = None if argument.default is None else literal(json.loads(argument.default), argument.type)
    if default == "null":
        default = None
    return ArgumentSpec(
        argument.name,
        text.replace(leaf.name, "ID") if is_object else text,
        default=default,
        expected=leaf.name if is_object else "",
        description=argument.description,
    )


def literal(value: Any, of: TypeDef) -> str:
    """A default as a GraphQL literal: enum members bare."""
    if isinstance(value, list):
        element = of.element or of
        return "[" + ", ".join(literal(item, element) for item in value) + "]"
    if isinstance(value, str) and of.kind == "ENUM_KIND":
        return value
    return json.dumps(value, ensure_ascii=False)
