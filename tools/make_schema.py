"""Make the schema files that the engine serves, from Dagger's published schema (SDL).

    python tools/make_schema.py SCHEMA.graphqls [ADDITIONS.graphqls …]

Writes into src/sealane_engine/protocol/data: `table.json` (what the engine loads), `schema-0.21.graphqls` and
`schema-before-0.22.graphqls` (the two views, for reading and for tests) and `introspection.json` (the frozen answer
to the standard introspection query). Only names, types, arguments, defaults and directives are taken: no prose.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import graphql
from graphql.language import ast

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from sealane_engine.protocol.introspect import STANDARD_QUERY, introspect_text  # noqa: E402
from sealane_engine.protocol.schema import BEFORE_0_22, CURRENT, Schema  # noqa: E402
from sealane_engine.protocol.sdl import print_schema  # noqa: E402

DATA = ROOT / "src/sealane_engine/protocol/data"
PROSE = {"deprecated", "experimental"}  # their reason is prose; the mark alone is kept
KINDS = {
    ast.ObjectTypeDefinitionNode: "OBJECT",
    ast.InterfaceTypeDefinitionNode: "INTERFACE",
    ast.EnumTypeDefinitionNode: "ENUM",
    ast.InputObjectTypeDefinitionNode: "INPUT_OBJECT",
    ast.ScalarTypeDefinitionNode: "SCALAR",
}


def marks(node: Any) -> list[list[Any]]:
    """The directives applied to a definition: [name, {argument: literal}], without reasons."""
    found = []
    for directive in node.directives or ():
        name = directive.name.value
        arguments = {a.name.value: graphql.print_ast(a.value) for a in directive.arguments or ()}
        found.append([name, {} if name in PROSE else arguments])
    return found


def value_entry(node: ast.InputValueDefinitionNode) -> dict[str, Any]:
    """An argument or an input's field. It is never marked deprecated: clients that don't ask for such would miss it."""
    entry: dict[str, Any] = {"t": graphql.print_ast(node.type)}
    if node.default_value:
        entry["d"] = graphql.print_ast(node.default_value)
    if applied := [m for m in marks(node) if m[0] != "deprecated"]:
        entry["m"] = applied
    return entry


def field_entry(node: ast.FieldDefinitionNode) -> dict[str, Any]:
    entry: dict[str, Any] = {"t": graphql.print_ast(node.type)}
    if node.arguments:
        entry["a"] = {a.name.value: value_entry(a) for a in node.arguments}
    if applied := marks(node):
        entry["m"] = applied
    return entry


def type_entry(node: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"k": KINDS[type(node)]}
    if isinstance(node, (ast.ObjectTypeDefinitionNode, ast.InterfaceTypeDefinitionNode)):
        entry["i"] = [i.name.value for i in node.interfaces or ()]
        entry["f"] = {f.name.value: field_entry(f) for f in node.fields or ()}
    elif isinstance(node, ast.InputObjectTypeDefinitionNode):
        entry["n"] = {f.name.value: value_entry(f) for f in node.fields or ()}
    elif isinstance(node, ast.EnumTypeDefinitionNode):
        entry["v"] = {v.name.value: marks(v) for v in node.values or ()}
    return entry


def directive_entry(node: ast.DirectiveDefinitionNode) -> dict[str, Any]:
    return {
        "l": [location.value for location in node.locations],
        "a": {a.name.value: value_entry(a) for a in node.arguments or ()},
    }


def make_table(sources: list[Path]) -> dict[str, Any]:
    table: dict[str, Any] = {"types": {}, "directives": {}}
    for source in sources:
        for node in graphql.parse(source.read_text(), no_location=True).definitions:
            if isinstance(node, ast.DirectiveDefinitionNode):
                table["directives"][node.name.value] = directive_entry(node)
            elif isinstance(node, ast.ObjectTypeExtensionNode):
                fields = table["types"][node.name.value]["f"]
                fields.update({f.name.value: field_entry(f) for f in node.fields or ()})
            elif type(node) in KINDS:
                table["types"][node.name.value] = type_entry(node)
    for entry in table["types"].values():
        if "f" in entry:
            entry["f"] = dict(sorted(entry["f"].items()))
    table["types"] = dict(sorted(table["types"].items()))
    return table


def main(sources: list[Path]) -> None:
    DATA.mkdir(exist_ok=True)
    table = make_table(sources)
    (DATA / "table.json").write_text(json.dumps(table, separators=(",", ":")) + "\n")
    for view, name in ((CURRENT, "schema-0.21"), (BEFORE_0_22, "schema-before-0.22")):
        (DATA / f"{name}.graphqls").write_text(print_schema(Schema.load(view)))
    (DATA / "introspection.json").write_text(introspect_text(Schema.load(BEFORE_0_22), STANDARD_QUERY))
    for path in sorted(DATA.iterdir()):
        print(f"{path.stat().st_size:>9,}  {path.relative_to(ROOT)}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main([Path(argument) for argument in sys.argv[1:]])
