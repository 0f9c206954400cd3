"""Arguments and variables as canonical values, by the types that the schema gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sealane_engine.errors import EngineError, InvalidInput
from sealane_engine.protocol.document import Name, Variable
from sealane_engine.protocol.failures import DocumentError, nearest
from sealane_engine.protocol.typeref import TypeRef, parse_type

if TYPE_CHECKING:
    from sealane_engine.protocol.document import VariableDefinition
    from sealane_engine.protocol.ids import IdTable
    from sealane_engine.protocol.schema import Argument, Schema

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
SHOWN = 60
ABSENT = object()


class BadId(InvalidInput):
    """An id that names nothing here or something else: an error of its field alone, not of the whole document."""

    reason = "bad-id"


class Coercer:
    """Turns literals and JSON into canonical values. Types are finite, so recursion is as deep as a type is."""

    def __init__(self, schema: Schema, ids: IdTable, variables: Mapping[str, Any]) -> None:
        self.schema = schema
        self.ids = ids
        self.variables = variables

    def arguments(self, given: Mapping[str, Any], declared: Mapping[str, Argument], what: str) -> dict[str, Any]:
        """The given arguments, canonical: without nulls and without what equals its default."""
        found: dict[str, Any] = {}
        for name in given:
            if name not in declared:
                raise DocumentError(
                    f"{what} has no argument {name!r}", reason="unknown-argument", hint=nearest(name, declared)
                )
        for name, argument in declared.items():
            value = self.resolved(given.get(name, ABSENT))
            required = argument.type.non_null and not argument.has_default
            if value is ABSENT or (value is None and not required):
                if required:
                    raise DocumentError(
                        f"{what} needs the argument {name!r} ({argument.type})", reason="missing-argument"
                    )
                continue
            value = self.value(value, argument.type, argument.expected, f"argument {name!r} of {what}")
            if not (argument.has_default and value == argument.default):
                found[name] = value
        return found

    def resolved(self, value: Any) -> Any:
        if isinstance(value, Variable):
            if value.name not in self.variables:
                raise DocumentError(f"variable ${value.name} isn't defined", reason="unknown-variable")
            return self.variables[value.name]
        return value

    def value(self, value: Any, ref: TypeRef, expected: str, what: str) -> Any:
        value = self.resolved(value)
        if value is None or value is ABSENT:
            if ref.non_null:
                raise DocumentError(f"{what} can't be null ({ref})", reason="bad-value")
            return None
        if ref.item:
            items = value if isinstance(value, (list, tuple)) else [value]
            return tuple(self.value(item, ref.item, expected, what) for item in items)
        if isinstance(value, list):
            raise bad(value, ref, what)
        kind = self.schema.kind(ref.name)
        if kind == "ENUM":
            return self.enum(value, ref, what)
        if kind == "INPUT_OBJECT":
            return self.input_object(value, ref, what)
        if isinstance(value, Name):
            raise bad(value, ref, what)
        if self.schema.id_of(ref.name) is not None:
            return self.object(value, ref, expected, what)
        return scalar(value, ref, what)

    def enum(self, value: Any, ref: TypeRef, what: str) -> str:
        members = self.schema.enum(ref.name)
        if not isinstance(value, str) or value not in members:
            raise DocumentError(
                f"{what}: {shown(value)} is not one of {', '.join(sorted(set(members.values())))}",
                reason="bad-value",
                hint=nearest(value, members) if isinstance(value, str) else "",
            )
        return members[value]

    def input_object(self, value: Any, ref: TypeRef, what: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise bad(value, ref, what)
        return self.arguments(value, self.schema.inputs(ref.name), f"{ref.name} in {what}")

    def object(self, value: Any, ref: TypeRef, expected: str, what: str) -> Any:
        if not isinstance(value, str):
            raise bad(value, ref, what)
        try:
            call = self.ids.load(value)
        except EngineError as error:
            raise BadId(f"{what}: {error.message}", reason=error.reason, hint=error.hint) from error
        if expected and not self.schema.implements(call.type, expected):
            raise BadId(f"{what}: expected the id of a {expected}, got the id of a {call.type}", reason="wrong-type")
        return call


def scalar(value: Any, ref: TypeRef, what: str) -> Any:
    name = ref.name
    if name == "Boolean":
        if isinstance(value, bool):
            return value
    elif name == "Int":
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and INT_MIN <= value <= INT_MAX:
            return value
    elif name == "Float":
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, str):
        return value
    raise bad(value, ref, what)


def variables_of(definitions: list[VariableDefinition], given: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The variables of an operation: given or default, `ABSENT` if neither. Their values are checked where they're used."""
    found: dict[str, Any] = {}
    for definition in definitions:
        ref = parse_type(definition.type)
        schema.kind(ref.name)
        if definition.name in given:
            value = given[definition.name]
        elif definition.has_default:
            value = definition.default
        else:
            value = ABSENT
        if ref.non_null and (value is ABSENT or value is None):
            raise DocumentError(
                f"variable ${definition.name} of type {ref} needs a value",
                position=definition.position,
                reason="missing-variable",
            )
        found[definition.name] = value
    return found


def bad(value: Any, ref: TypeRef, what: str) -> DocumentError:
    return DocumentError(f"{what}: {shown(value)} is not a {ref}", reason="bad-value")


def shown(value: Any) -> str:
    if isinstance(value, Name):
        return str(value)
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
