"""Answers to `__schema` and `__type`: the standard query from frozen bytes, others by walking the schema's table.

Beyond the standard, a type, field, input value and enum value has `directives { name args { name value } }`:
the directives applied to it, as Dagger's engine tells them and its code generators need them.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sealane_engine.protocol.document import Inline, Name, Selected, Spread, Variable, parse
from sealane_engine.protocol.failures import DocumentError, nearest
from sealane_engine.protocol.schema import BEFORE_0_22, DATA, QUERY
from sealane_engine.protocol.typeref import TypeRef, parse_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.protocol.document import Document, Selection
    from sealane_engine.protocol.schema import Schema

Data = dict[str, Any]

NODE_LIMIT = 200_000
DEPTH_LIMIT = 100
KEPT_ANSWERS = 8
SCHEMA_VERSION = "v0.21.11"
DEPRECATED = "No longer supported"
EXPERIMENTAL = "Not stabilized"
FROZEN = DATA / "introspection.json"

# The directives that every GraphQL server has, with the locations that every client library knows.
STANDARD_DIRECTIVES: Data = {
    "deprecated": {
        "l": ["FIELD_DEFINITION", "ARGUMENT_DEFINITION", "INPUT_FIELD_DEFINITION", "ENUM_VALUE"],
        "a": {"reason": {"t": "String", "d": json.dumps(DEPRECATED)}},
    },
    "include": {"l": ["FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"], "a": {"if": {"t": "Boolean!"}}},
    "skip": {"l": ["FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"], "a": {"if": {"t": "Boolean!"}}},
    "specifiedBy": {"l": ["SCALAR"], "a": {"url": {"t": "String!"}}},
}

TYPE_REF = "kind name ofType { " * 9 + "kind name" + " }" * 9
STANDARD_QUERY = f"""
query IntrospectionQuery {{
  __schema {{
    queryType {{ name kind }} mutationType {{ name kind }} subscriptionType {{ name kind }}
    types {{ ...FullType }}
    directives {{ name description locations args {{ ...InputValue }} }}
  }}
}}
fragment FullType on __Type {{
  kind name description
  fields(includeDeprecated: true) {{
    name description args {{ ...InputValue }} type {{ ...TypeRef }} isDeprecated deprecationReason
  }}
  inputFields {{ ...InputValue }}
  interfaces {{ ...TypeRef }}
  enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }}
  possibleTypes {{ ...TypeRef }}
}}
fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue }}
fragment TypeRef on __Type {{ {TYPE_REF} }}
"""


def alone(selections: list[Selection]) -> bool:
    """Whether `__schema` is all that is asked for, so that the whole answer can be kept as bytes."""
    return len(selections) == 1 and isinstance(selections[0], Selected) and selections[0].name == "__schema"


def answer(schema: Schema, document: Document, selections: list[Selection], variables: Mapping[str, Any]) -> bytes:
    """The bytes of the whole answer to a document that asks for `__schema` alone; made once per schema and selection."""
    normal = normalised(selections, document, variables)
    key = sha256(normal.encode()).hexdigest()
    known = schema.answers.get(key)
    if known is None:
        known = frozen(schema, key)
        if known is None:
            data = project(introspection(schema), selections, document, variables)
            known = json.dumps({"data": data}, separators=(",", ":")).encode()
        if len(schema.answers) >= KEPT_ANSWERS:
            schema.answers.pop(next(iter(schema.answers)))
        schema.answers[key] = known
    return known


def frozen(schema: Schema, key: str) -> bytes | None:
    """The answer from the package's data: the first line names the selection that it answers."""
    if schema.view != BEFORE_0_22 or schema.extended or not FROZEN.exists():
        return None
    head, _, body = FROZEN.read_bytes().partition(b"\n")
    return body.rstrip(b"\n") if head.decode() == key else None


def introspect_text(schema: Schema, query: str) -> str:
    """What `frozen` reads; used by the tool that makes it."""
    document = parse(query)
    selections = document.operations[0].selections
    data = project(introspection(schema), selections, document, {})
    key = sha256(normalised(selections, document, {}).encode()).hexdigest()
    return f"{key}\n{json.dumps({'data': data}, separators=(',', ':'))}\n"


def introspection(schema: Schema) -> Data:
    """The root of the data: `__schema`, and all types by name under `__type`."""
    types: dict[str, Data] = {name: {"kind": entry["k"], "name": name} for name, entry in schema.types.items()}
    for name, entry in schema.types.items():
        types[name].update(type_data(name, entry, schema, types))
    directives = {**STANDARD_DIRECTIVES, **schema.table["directives"]}
    ordered = [types[name] for name in sorted(types)]
    root = {
        "__typename": "__Schema",
        "description": None,
        "types": ordered,
        "queryType": types[QUERY],
        "mutationType": None,
        "subscriptionType": None,
        "directives": [directive_data(name, directives[name], types) for name in sorted(directives)],
    }
    return {"__schema": root, "__type": types, "__schemaVersion": SCHEMA_VERSION}


def type_data(name: str, entry: Data, schema: Schema, types: dict[str, Data]) -> Data:
    composite = "f" in entry
    possible = None
    if entry["k"] == "INTERFACE":
        possible = [types[n] for n, e in sorted(schema.types.items()) if e["k"] == "OBJECT" and name in e["i"]]
    inputs = entry.get("n")
    values = entry.get("v")
    descriptions = entry.get("w", {})
    return {
        "__typename": "__Type",
        "description": entry.get("p"),
        "specifiedByURL": None,
        "isOneOf": False if inputs is not None else None,
        "fields": [field_data(n, f, types) for n, f in sorted(entry["f"].items())] if composite else None,
        "interfaces": [types[i] for i in entry["i"]] if composite else None,
        "possibleTypes": possible,
        "enumValues": None if values is None else [value_data(n, m, descriptions.get(n)) for n, m in values.items()],
        "inputFields": None if inputs is None else [input_data(n, e, types) for n, e in inputs.items()],
        "ofType": None,
        "directives": directives_data(entry.get("m", ())),
    }


def field_data(name: str, entry: Data, types: dict[str, Data]) -> Data:
    return {
        "__typename": "__Field",
        "name": name,
        "description": entry.get("p"),
        "args": [input_data(n, e, types) for n, e in entry.get("a", {}).items()],
        "type": reference(parse_type(entry["t"]), types),
        **deprecation(entry.get("m", ())),
        "directives": directives_data(entry.get("m", ())),
    }


def input_data(name: str, entry: Data, types: dict[str, Data]) -> Data:
    """Never deprecated: clients that don't ask for deprecated arguments would not know them."""
    return {
        "__typename": "__InputValue",
        "name": name,
        "description": entry.get("p"),
        "type": reference(parse_type(entry["t"]), types),
        "defaultValue": entry.get("d"),
        "isDeprecated": False,
        "deprecationReason": None,
        "directives": directives_data(entry.get("m", ())),
    }


def value_data(name: str, marks: Any, description: str | None) -> Data:
    return {
        "__typename": "__EnumValue",
        "name": name,
        "description": description,
        **deprecation(marks),
        "directives": directives_data(marks),
    }


def directive_data(name: str, entry: Data, types: dict[str, Data]) -> Data:
    return {
        "__typename": "__Directive",
        "name": name,
        "description": None,
        "isRepeatable": False,
        "locations": entry["l"],
        "args": [input_data(n, e, types) for n, e in entry["a"].items()],
    }


def reference(ref: TypeRef, types: dict[str, Data]) -> Data:
    if ref.non_null:
        return wrapper("NON_NULL", reference(TypeRef(ref.name, non_null=False, item=ref.item), types))
    if ref.item:
        return wrapper("LIST", reference(ref.item, types))
    return types[ref.name]


def wrapper(kind: str, inside: Data) -> Data:
    empty = dict.fromkeys(("name", "description", "fields", "interfaces", "possibleTypes", "enumValues", "inputFields"))
    return {
        "__typename": "__Type",
        "kind": kind,
        **empty,
        "ofType": inside,
        "directives": [],
        "isOneOf": None,
        "specifiedByURL": None,
    }


def deprecation(marks: Any) -> Data:
    for name, args in marks:
        if name == "deprecated":
            reason = args.get("reason")
            return {"isDeprecated": True, "deprecationReason": json.loads(reason) if reason else DEPRECATED}
    return {"isDeprecated": False, "deprecationReason": None}


def directives_data(marks: Any) -> list[Data]:
    found = []
    for name, args in sorted(marks, key=lambda mark: str(mark[0])):
        told = args
        if not told and name in {"deprecated", "experimental"}:
            told = {"reason": json.dumps(DEPRECATED if name == "deprecated" else EXPERIMENTAL)}
        found.append({"name": name, "args": [{"name": key, "value": value} for key, value in told.items()]})
    return found


def resolved(value: Any, variables: Mapping[str, Any]) -> Any:
    return variables.get(value.name) if isinstance(value, Variable) else value


def collected(selections: list[Selection], document: Document, variables: Mapping[str, Any]) -> dict[str, Selected]:
    """The selected fields by key, fragments opened. Everything is of the introspection types: conditions always hold."""
    found: dict[str, Selected] = {}
    waiting: list[Selection] = list(reversed(selections))
    while waiting:
        selection = waiting.pop()
        if not kept(selection, variables):
            continue
        if isinstance(selection, Spread):
            if selection.name not in document.fragments:
                raise DocumentError(f"there is no fragment {selection.name!r}", position=selection.position)
            waiting.extend(reversed(document.fragments[selection.name].selections))
        elif isinstance(selection, Inline):
            waiting.extend(reversed(selection.selections))
        else:
            there = found.get(selection.key)
            if there is not None and there.selections and selection.selections:
                selection = Selected(  # the same field asked for twice: both its selections
                    there.key, there.name, there.args, (), there.position, [*there.selections, *selection.selections]
                )
            found[selection.key] = selection
        if len(found) + len(waiting) > NODE_LIMIT:
            raise too_much()
    return found


def kept(selection: Selection, variables: Mapping[str, Any]) -> bool:
    for directive in selection.directives:
        wanted = resolved(directive.args.get("if"), variables)
        if (directive.name == "skip" and wanted is True) or (directive.name == "include" and wanted is False):
            return False
    return True


def normalised(selections: list[Selection], document: Document, variables: Mapping[str, Any], depth: int = 0) -> str:
    """The selection as one line with fragments opened: equal for equal questions."""
    if depth > DEPTH_LIMIT:
        raise too_much()
    parts = []
    for key, selected in collected(selections, document, variables).items():
        args = {name: resolved(value, variables) for name, value in selected.args.items()}
        inside = normalised(selected.selections, document, variables, depth + 1) if selected.selections else ""
        parts.append(f"{key}:{selected.name}{json.dumps(args, sort_keys=True) if args else ''}{{{inside}}}")
    text = ",".join(sorted(parts))
    if len(text) > NODE_LIMIT:
        raise too_much()
    return text


class Projection:
    """Cuts out of the data what is selected; refuses questions whose answer would be enormous."""

    def __init__(self, document: Document, variables: Mapping[str, Any]) -> None:
        self.document = document
        self.variables = variables
        self.nodes = 0
        self.plans: dict[int, list[tuple[str, Selected]]] = {}

    def plan(self, selections: list[Selection]) -> list[tuple[str, Selected]]:
        plan = self.plans.get(id(selections))
        if plan is None:
            plan = self.plans[id(selections)] = list(collected(selections, self.document, self.variables).items())
        return plan

    def value(self, data: Any, selected: Selected, depth: int) -> Any:
        if data is None or isinstance(data, (str, bool)):
            return data
        if isinstance(data, list):
            return [self.value(item, selected, depth) for item in data]
        if not selected.selections:
            raise DocumentError(
                f"field {selected.name!r} answers an object: select fields of it", position=selected.position
            )
        return self.object(data, selected.selections, depth + 1)

    def object(self, data: Data, selections: list[Selection], depth: int) -> Data:
        self.nodes += 1
        if self.nodes > NODE_LIMIT or depth > DEPTH_LIMIT:
            raise too_much()
        found: Data = {}
        for key, selected in self.plan(selections):
            name = selected.name
            if name not in data:
                raise DocumentError(
                    f"introspection has no field {name!r} here",
                    position=selected.position,
                    reason="unknown-field",
                    hint=nearest(name, data),
                )
            value = data[name]
            if name in {"fields", "enumValues"} and value and not self.deprecated_too(selected):
                value = [item for item in value if not item["isDeprecated"]]
            found[key] = self.value(value, selected, depth)
        return found

    def deprecated_too(self, selected: Selected) -> bool:
        return resolved(selected.args.get("includeDeprecated"), self.variables) is True


def project(data: Data, selections: list[Selection], document: Document, variables: Mapping[str, Any]) -> Data:
    """The introspection fields of a root selection, as their part of the answer's data."""
    projection = Projection(document, variables)
    found: Data = {}
    for key, selected in projection.plan(selections):
        value = data.get(selected.name)
        if selected.name == "__type":
            name = resolved(selected.args.get("name"), variables)
            if not isinstance(name, str) or isinstance(name, Name):
                raise DocumentError("__type needs a name", position=selected.position, reason="missing-argument")
            value = data["__type"].get(name)
        found[key] = projection.value(value, selected, 0)
    return found


def too_much() -> DocumentError:
    return DocumentError("the introspection query asks for too much", reason="document-too-large")
