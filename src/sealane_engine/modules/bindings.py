"""The Python client of a module's dependencies: `dagger_gen.py`, which dagger-io takes for its own when it is on the path.

It is dagger-io's own client with a class for each type of a dependency, and a Query that has their constructors.
"""

from __future__ import annotations

import json
import keyword
import re
from typing import TYPE_CHECKING

from sealane_engine.errors import InvalidInput
from sealane_engine.modules.publish import constructor
from sealane_engine.modules.typedefs import FunctionDef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealane_engine.modules.module import Module
    from sealane_engine.modules.typedefs import ArgDef, FieldDef, TypeDef

FILE = "dagger_gen.py"
_HEADER = '''"""The client of this module: Dagger's API, and the modules that it depends on."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from dagger.client import gen as _core
from dagger.client._core import Arg
from dagger.client._guards import typecheck
from dagger.client.base import Enum, Scalar, Type
from dagger.client.gen import *

'''
_PLAIN = {
    "STRING_KIND": "str",
    "INTEGER_KIND": "int",
    "FLOAT_KIND": "float",
    "BOOLEAN_KIND": "bool",
    "VOID_KIND": "None",
}
_TAKEN = frozenset(("str", "int", "float", "bool", "list", "type", "self", "id"))
_ACRONYM = re.compile(r"([A-Z\d]+)(?=[A-Z\d]|$)")
_HUMP = re.compile(r"(?<=[a-z\d])([A-Z])")


def bindings(dependencies: Iterable[Module]) -> str:
    """The text of the file; the same for the same types."""
    classes: list[str] = []
    names: list[str] = []
    roots: list[str] = []
    for module in dependencies:
        for enum in module.shown.enums:
            classes.append(_enum(enum))
            names.append(enum.name)
        for each in module.shown.interfaces:
            classes += [_protocol(each), _class(each)]
            names.append(each.name)
        for each in module.shown.objects:
            classes.append(_class(each))
            names.append(each.name)
        roots.append(_method(constructor(module.shown, module.name)))
    query = "@typecheck\nclass Query(_core.Query):\n" + "\n".join(roots)
    client = 'class Client(Query):\n    """Dagger\'s API and the modules that this one depends on."""\n'
    tail = f"dag = Client()\n\n__all__ = [*_core.__all__, *{sorted(names)!r}]\n"
    return "\n\n".join([_HEADER.rstrip() + "\n", *classes, query, client, tail])


def python_name(name: str) -> str:
    """A field's or argument's name as Dagger's SDK writes it: `imageID` is `image_id`, `from` is `from_`."""
    titled = _ACRONYM.sub(lambda match: match[0].title(), name)
    snake = _HUMP.sub(r"_\1", titled).lower()
    return f"{snake}_" if keyword.iskeyword(snake) or snake in _TAKEN - {"id"} else snake


def _enum(found: TypeDef) -> str:
    lines = [f"class {found.name}(Enum):", *_docstring(found.description, "    ")]
    for member in found.members:
        lines += [f"    {member.name} = {member.name!r}", *_docstring(member.description, "    ")]
    return "\n".join(lines) + "\n"


def _protocol(found: TypeDef) -> str:
    """What an object must offer to be passed where the interface is wanted."""
    head = ["@runtime_checkable", f"class {found.name}(Protocol):", *_docstring(found.description, "    ")]
    names = ["id", *(python_name(each.name) for each in found.functions)]
    return (
        "\n".join([*head, *(f"    def {name}(self, *args: Any, **kwargs: Any) -> Any: ..." for name in names)]) + "\n"
    )


def _client(found: TypeDef) -> str:
    """The class of the values: an interface's is not the interface itself."""
    return f"_{found.name}Client" if found.kind == "INTERFACE_KIND" else found.name


def _class(found: TypeDef) -> str:
    head = ["@typecheck", f"class {_client(found)}(Type):", *_docstring(found.description, "    ")]
    if found.kind == "INTERFACE_KIND":
        head += ["    @classmethod", "    def _graphql_name(cls) -> str:", f"        return {found.name!r}", ""]
    parts = ["\n".join(head) + "\n"]
    parts.append('    async def id(self) -> str:\n        return await self._select("id", []).execute(str)\n')
    parts += [_method(_as_function(each)) for each in found.fields]
    parts += [_method(each) for each in found.functions]
    return "\n".join(parts)


def _as_function(field: FieldDef) -> FunctionDef:
    return FunctionDef(field.name, field.type, description=field.description)


def _method(function: FunctionDef) -> str:
    """One method; objects are chained on, everything else is awaited."""
    leaf = function.returns.leaf
    is_object = leaf.kind in ("OBJECT_KIND", "INTERFACE_KIND")
    chained = is_object and function.returns.element is None
    head = f"    {'' if chained else 'async '}def {python_name(function.name)}({_signature(function)})"
    lines = [f"{head} -> {_annotation(function.returns, nullable=not chained)}:"]
    lines += _docstring(function.description, "        ")
    arguments = ", ".join(_argument(each) for each in function.args)
    lines.append(f"        _ctx = self._select({function.name!r}, [{arguments}])")
    if chained:
        lines.append(f"        return {_client(leaf)}(_ctx)")
    elif is_object:
        lines.append(f"        return await _ctx.execute_object_list({_client(leaf)})")
    elif leaf.kind == "VOID_KIND":
        lines.append("        await _ctx.execute()")
    else:
        lines.append(f"        return await _ctx.execute({_annotation(function.returns, nullable=True)})")
    return "\n".join(lines) + "\n"


def _signature(function: FunctionDef) -> str:
    required = [each for each in function.args if not _optional(each)]
    optional = [each for each in function.args if _optional(each)]
    words = ["self", *(f"{python_name(each.name)}: {_annotation(each.type)}" for each in required)]
    if optional:
        words.append("*")
    for each in optional:
        annotation = _annotation(each.type).removesuffix(" | None")
        words.append(f"{python_name(each.name)}: {annotation} | None = {_default(each)}")
    return ", ".join(words)


def _optional(argument: ArgDef) -> bool:
    return argument.type.optional or argument.default is not None


def _argument(argument: ArgDef) -> str:
    name = python_name(argument.name)
    return (
        f"Arg({argument.name!r}, {name}, {_default(argument)})"
        if _optional(argument)
        else f"Arg({argument.name!r}, {name})"
    )


def _default(argument: ArgDef) -> str:
    if argument.default is None:
        return "None"
    try:
        value = json.loads(argument.default)
    except ValueError:
        raise InvalidInput(f"the default of argument {argument.name!r} is not JSON", reason="bad-default") from None
    if argument.type.kind == "ENUM_KIND" and isinstance(value, str):
        return f"{argument.type.name}.{value}"
    return "None" if isinstance(value, list | dict) else repr(value)


def _annotation(found: TypeDef, *, nullable: bool = True) -> str:
    text = f"list[{_annotation(found.element)}]" if found.element is not None else _PLAIN.get(found.kind, found.name)
    return f"{text} | None" if found.optional and nullable and text != "None" else text


def _docstring(text: str, indent: str) -> list[str]:
    """A description as a docstring, whatever is in it."""
    return [f"{indent}{text.strip()!r}"] if text.strip() else []
