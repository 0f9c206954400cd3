"""What a module adds to the schema: types, their fields and arguments, described by plain values.

Types are written as in GraphQL (`[String!]!`); an argument that takes an object has the type `ID` and `expected`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ArgumentSpec:
    """`default` is a GraphQL literal (a string with its quotes, `true`, `LOW`), None without one."""

    name: str
    type: str
    default: str | None = None
    expected: str = ""
    description: str = ""
    directives: tuple[tuple[str, dict[str, str]], ...] = ()

    def entry(self) -> Entry:
        entry: Entry = {"t": self.type}
        if self.default is not None:
            entry["d"] = self.default
        return decorated(entry, self.description, self.directives, self.expected)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    name: str
    type: str
    args: tuple[ArgumentSpec, ...] = ()
    expected: str = ""
    description: str = ""
    directives: tuple[tuple[str, dict[str, str]], ...] = ()

    def entry(self) -> Entry:
        entry: Entry = {"t": self.type}
        if self.args:
            entry["a"] = {argument.name: argument.entry() for argument in self.args}
        return decorated(entry, self.description, self.directives, self.expected)


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """An object type, or an interface; a new one gets `id`. For a type that exists, its fields are added to it."""

    name: str
    fields: tuple[FieldSpec, ...] = ()
    interfaces: tuple[str, ...] = ()
    interface: bool = False
    description: str = ""

    def entry(self) -> Entry:
        fields = {f.name: f.entry() for f in sorted((*self.fields, FieldSpec("id", "ID!")), key=lambda f: f.name)}
        interfaces = sorted({"Node", *self.interfaces})
        entry: Entry = {"k": "INTERFACE" if self.interface else "OBJECT", "i": interfaces, "f": fields}
        return decorated(entry, self.description)


@dataclass(frozen=True, slots=True)
class EnumSpec:
    """`members` are names with their values; an empty value is the name."""

    name: str
    members: tuple[tuple[str, str], ...]
    description: str = ""
    descriptions: dict[str, str] = field(default_factory=dict)

    def entry(self) -> Entry:
        marks = {
            name: [["enumValue", {"value": json.dumps(value)}]] if value and value != name else []
            for name, value in self.members
        }
        entry: Entry = {"k": "ENUM", "v": marks}
        if self.descriptions:
            entry["w"] = dict(self.descriptions)
        return decorated(entry, self.description)


@dataclass(frozen=True, slots=True)
class ScalarSpec:
    name: str
    description: str = ""

    def entry(self) -> Entry:
        return decorated({"k": "SCALAR"}, self.description)


Specification = ObjectSpec | EnumSpec | ScalarSpec


def decorated(
    entry: Entry, description: str, directives: tuple[tuple[str, dict[str, str]], ...] = (), expected: str = ""
) -> Entry:
    marks = [[name, dict(args)] for name, args in directives]
    if expected:
        marks.append(["expectedType", {"name": json.dumps(expected)}])
    if marks:
        entry["m"] = marks
    if description:
        entry["p"] = description
    return entry
