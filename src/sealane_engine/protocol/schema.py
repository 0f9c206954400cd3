"""The schema as a table: types, fields, arguments. Loads in milliseconds and needs no GraphQL library.

The table (`data/table.json`) is made by `tools/make_schema.py`. An entry of it is a dictionary with short keys:
`k` kind, `i` interfaces, `f` fields, `n` input fields, `v` enum values, `t` type, `a` arguments, `d` default (a
literal), `m` applied directives, `p` description, `o` the object type that a scalar is the id of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealane_engine.errors import InvalidInput
from sealane_engine.protocol.document import parse_literal
from sealane_engine.protocol.failures import DocumentError, nearest
from sealane_engine.protocol.typeref import TypeRef, parse_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealane_engine.protocol.call import Call
    from sealane_engine.protocol.extension import Specification

DATA = Path(__file__).parent / "data"
CURRENT = "0.21"
BEFORE_0_22 = "before-0.22"
"""The view for clients before 0.22: a `FooID` scalar and a `loadFooFromID` field for each type. A superset."""

BUILT_IN_SCALARS = ("Boolean", "Float", "ID", "Int", "String")
QUERY = "Query"
_RUN = frozenset(("Check", "CheckGroup", "Generator", "GeneratorGroup", "Up", "UpGroup"))
Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument, or a field of an input object. `expected` is the type of object that an ID names."""

    name: str
    type: TypeRef
    has_default: bool = False
    default: Any = None
    expected: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field. `composite` says that it answers objects (one or a list), `is_id` that it answers ids."""

    owner: str
    name: str
    type: TypeRef
    args: Mapping[str, Argument]
    composite: bool
    is_id: bool
    expected: str = ""

    @property
    def loads(self) -> bool:
        """Whether the field answers the object that its `id` argument names, and nothing new."""
        return self.owner == QUERY and "id" in self.args and (self.name == "node" or self.name.endswith("FromID"))

    @property
    def acts(self) -> bool:
        """Whether asking for the field does something, though only an id is selected of what it answers."""
        return self.name == "run" and self.owner in _RUN


@dataclass(slots=True)
class Schema:
    """Types by name. Fields and enums are made from the table when they are first asked for."""

    table: Table
    view: str = BEFORE_0_22
    extended: bool = False
    answers: dict[str, bytes] = field(default_factory=dict)
    """Answers to introspection queries, by their normalised selection."""

    _fields: dict[tuple[str, str], Field] = field(default_factory=dict)
    _inputs: dict[str, dict[str, Argument]] = field(default_factory=dict)
    _enums: dict[str, dict[str, str]] = field(default_factory=dict)
    _digest: str = ""

    @classmethod
    def load(cls, view: str = BEFORE_0_22) -> Schema:
        """Read the core schema."""
        table: Table = json.loads((DATA / "table.json").read_bytes())
        types = table["types"]
        for name in BUILT_IN_SCALARS:
            types.setdefault(name, {"k": "SCALAR"})
        if view == BEFORE_0_22:
            for name in tuple(types):
                add_legacy_id(types, name)
        return cls(table, view)

    @property
    def types(self) -> Mapping[str, Table]:
        types: Mapping[str, Table] = self.table["types"]
        return types

    @property
    def digest(self) -> str:
        """Names the content of this schema."""
        if not self._digest:
            self._digest = sha256(json.dumps(self.table, sort_keys=True).encode()).hexdigest()
        return self._digest

    def kind(self, name: str) -> str:
        """OBJECT, INTERFACE, ENUM, INPUT_OBJECT or SCALAR; raises if there is no such type."""
        try:
            kind: str = self.types[name]["k"]
        except KeyError:
            raise DocumentError(
                f"there is no type {name!r} in the schema", reason="unknown-type", hint=nearest(name, self.types)
            ) from None
        return kind

    def field(self, owner: str, name: str) -> Field:
        found = self._fields.get((owner, name))
        if found is None:
            found = self._fields[owner, name] = self._make_field(owner, name)
        return found

    def _make_field(self, owner: str, name: str) -> Field:
        fields = self.types[owner].get("f", {})
        entry = fields.get(name)
        if entry is None:
            raise DocumentError(
                f"type {owner!r} has no field {name!r}", reason="unknown-field", hint=nearest(name, fields)
            )
        ref = parse_type(entry["t"])
        return Field(
            owner,
            name,
            ref,
            {argument: self._make_argument(argument, given) for argument, given in entry.get("a", {}).items()},
            composite=self.kind(ref.name) in {"OBJECT", "INTERFACE"},
            is_id=self.id_of(ref.name) is not None,
            expected=expected_type(entry) or self.id_of(ref.name) or "",
        )

    def _make_argument(self, name: str, entry: Table) -> Argument:
        ref = parse_type(entry["t"])
        self.kind(ref.name)
        expected = expected_type(entry) or self.id_of(ref.name) or ""
        if "d" not in entry:
            return Argument(name, ref, expected=expected)
        default = self._default(parse_literal(entry["d"]), ref)
        return Argument(name, ref, has_default=default is not None, default=default, expected=expected)

    def _default(self, value: Any, ref: TypeRef) -> Any:
        """A default as `Call` would hold it: enums by their first name, lists as tuples."""
        if value is not None and ref.item:
            items = value if isinstance(value, list) else [value]
            return tuple(self._default(item, ref.item) for item in items)
        if isinstance(value, str) and self.kind(ref.name) == "ENUM":
            return self.enum(ref.name)[value]
        if ref.name == "Float" and isinstance(value, int):
            return float(value)
        return value

    def id_of(self, scalar: str) -> str | None:
        """The type of object that a scalar is the id of: empty for `ID` itself, None if the scalar is no id."""
        if scalar == "ID":
            return ""
        entry = self.types.get(scalar)
        return entry.get("o") if entry else None

    def enum(self, name: str) -> Mapping[str, str]:
        """Each accepted name of a member → the member's first name."""
        found = self._enums.get(name)
        if found is None:
            first: dict[str, str] = {}
            found = {}
            for member, marks in self.types[name]["v"].items():
                value = applied(marks, "enumValue").get("value")
                value = json.loads(value) if value else member
                found[member] = first.setdefault(value, member)
            for value, member in first.items():
                found.setdefault(value, member)
            self._enums[name] = found
        return found

    def inputs(self, name: str) -> Mapping[str, Argument]:
        """The fields of an input object."""
        found = self._inputs.get(name)
        if found is None:
            entries = self.types[name]["n"].items()
            found = self._inputs[name] = {key: self._make_argument(key, entry) for key, entry in entries}
        return found

    def implements(self, name: str, wanted: str) -> bool:
        """Whether a type is `wanted` or implements it."""
        return name == wanted or wanted in self.types.get(name, {}).get("i", ())

    def arguments(self, call: Call) -> dict[str, Any]:
        """The arguments of a call with defaults filled in, input objects too. `call.arguments()` has the given ones alone."""
        if not call.field:
            return {}
        declared = self.field(call.owner, call.field).args
        return self._fill(dict(call.args), declared)

    def _fill(self, given: Mapping[str, Any], declared: Mapping[str, Argument]) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for name, argument in declared.items():
            if name in given:
                filled[name] = self._fill_value(given[name], argument.type)
            elif argument.has_default:
                filled[name] = argument.default
        return filled

    def _fill_value(self, value: Any, ref: TypeRef) -> Any:
        if isinstance(value, tuple) and ref.item:
            return tuple(self._fill_value(item, ref.item) for item in value)
        if isinstance(value, Mapping) and self.kind(ref.name) == "INPUT_OBJECT":
            return self._fill(value, self.inputs(ref.name))
        return value

    def extend(self, specifications: Iterable[Specification]) -> Schema:
        """A new schema with more types, and more fields on types that are there. Nothing of this one changes."""
        types = dict(self.types)
        touched = []
        for specification in specifications:
            touched.append(specification.name)
            entry = specification.entry()
            there = types.get(specification.name)
            if there is not None:
                entry = merged(specification.name, there, entry)
            types[specification.name] = entry
            if there is None and self.view == BEFORE_0_22:
                add_legacy_id(types, specification.name)
        extended = Schema({**self.table, "types": types}, self.view, extended=True)
        extended.check(touched)
        return extended

    def check(self, names: Iterable[str]) -> None:
        """Every type that these types name must exist; raises if not."""
        for name in names:
            entry = self.types[name]
            for interface in entry.get("i", ()):
                self.kind(interface)
            for member in entry.get("f", {}):
                found = self.field(name, member)
                for expected in (found.expected, *(argument.expected for argument in found.args.values())):
                    if expected:
                        self.kind(expected)


def applied(marks: Iterable[Any], name: str) -> Mapping[str, str]:
    """The arguments of an applied directive, as literals; empty if it isn't applied."""
    for mark, args in marks:
        if mark == name:
            found: Mapping[str, str] = args
            return found
    return {}


def expected_type(entry: Table) -> str:
    literal = applied(entry.get("m", ()), "expectedType").get("name")
    return json.loads(literal) if literal else ""


def add_legacy_id(types: Table, name: str) -> None:
    """What clients before 0.22 know: `FooID`, and `Query.loadFooFromID`. Every type with an id has them, but Node and Query."""
    entry = types[name]
    if entry["k"] not in {"OBJECT", "INTERFACE"} or name in {"Node", QUERY} or "id" not in entry["f"]:
        return
    types[f"{name}ID"] = {"k": "SCALAR", "o": name}
    loader = {"t": f"{name}!", "a": {"id": {"t": f"{name}ID!"}}}
    query = types[QUERY]
    types[QUERY] = {**query, "f": {**query["f"], f"load{name}FromID": loader}}


def merged(name: str, there: Table, entry: Table) -> Table:
    """A type with fields and interfaces added to it. Replacing a field or a type is refused."""
    if there["k"] != entry["k"] or "f" not in there:
        raise InvalidInput(f"type {name!r} is already in the schema", reason="schema-conflict")
    added = {key: value for key, value in entry["f"].items() if key != "id"}
    for key in added:
        if key in there["f"]:
            raise InvalidInput(
                f"type {name!r} already has a field {key!r}",
                reason="schema-conflict",
                hint="give the function another name",
            )
    interfaces = sorted({*there.get("i", ()), *entry.get("i", ())})
    return {**there, "i": interfaces, "f": {**there["f"], **added}}
