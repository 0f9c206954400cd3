"""What a module's types may not say: reserved names, other modules' types, a workspace that is kept.

Source: validateTypeDef in Dagger's core/module.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane_engine.errors import InvalidInput
from sealane_engine.modules.names import lower_camel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealane_engine.modules.module import Module
    from sealane_engine.modules.typedefs import Registered, TypeDef

_RESERVED = "id"
_INSTEAD = "answer or take a type of your own, an interface of your own, or one of Dagger's"


def check(registered: Registered, dependencies: Iterable[Module]) -> None:
    """Raises InvalidInput (`reserved-name`, `external-type`, `workspace-field`) for what no engine would serve."""
    own = {each.name for each in (*registered.objects, *registered.enums, *registered.interfaces)}
    others = {
        each.name: module.name
        for module in dependencies
        for each in (*module.shown.objects, *module.shown.enums, *module.shown.interfaces)
        if each.name not in own
    }
    for found in registered.objects:
        _fields(found, others)
        _functions(found, others, "object")
    for found in registered.interfaces:
        _functions(found, others, "interface")


def _fields(found: TypeDef, others: dict[str, str]) -> None:
    for field in found.fields:
        _name(field.name, f'field with reserved name "{field.name}" on object "{found.name}"')
        where = f'object "{found.name}" field "{field.name}"'
        if field.type.kind == "OBJECT_KIND" and field.type.name == "Workspace":
            raise InvalidInput(
                f"{where}: Workspace cannot be stored as a field on a module object",
                reason="workspace-field",
                hint="declare it as a function's argument instead",
            )
        _external(field.type, others, f"{where} cannot reference")


def _functions(found: TypeDef, others: dict[str, str], kind: str) -> None:
    for function in (*found.functions, *((found.constructor,) if found.constructor else ())):
        _name(function.name, f'function with reserved name "{function.name}" on {kind} "{found.name}"')
        where = f'{kind} "{found.name}" function "{function.name}"'
        _external(function.returns, others, f"{where} cannot return")
        for each in function.args:
            said = f'{where} cannot accept arg "{each.name}" of'
            if kind == "object":
                said = f'{where} arg "{each.name}" cannot reference'
            _external(each.type, others, said)


def _name(name: str, what: str) -> None:
    if lower_camel(name) == _RESERVED:
        raise InvalidInput(f"cannot define {what}", reason="reserved-name", hint="give it another name")


def _external(used: TypeDef, others: dict[str, str], what: str) -> None:
    module = others.get(used.leaf.name)
    if module is not None:
        raise InvalidInput(
            f'{what} external type from dependency module "{module}"', reason="external-type", hint=_INSTEAD
        )
