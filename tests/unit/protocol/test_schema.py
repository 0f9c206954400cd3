"""Our schema has all that the installed dagger-io client may ask for, and loads without a GraphQL library."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import graphql
import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.protocol.call import Call
from sealane_engine.protocol.document import parse
from sealane_engine.protocol.extension import ArgumentSpec, EnumSpec, FieldSpec, ObjectSpec
from sealane_engine.protocol.failures import DocumentError
from sealane_engine.protocol.introspect import FROZEN, STANDARD_QUERY, answer
from sealane_engine.protocol.schema import BEFORE_0_22, CURRENT, DATA, Schema


@pytest.fixture(scope="module")
def schema():
    return Schema.load()


def client_module() -> ast.Module:
    found = importlib.util.find_spec("dagger")
    assert found
    assert found.origin
    return ast.parse((Path(found.origin).parent / "client/gen.py").read_text())


def select_calls(node: ast.AST):
    """(field, argument names) of each call to `_select` or `execute_sync` in a method."""
    names = [
        call.args[0].value
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Arg"
    ]
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            if call.func.attr == "_select":
                yield call.args[0].value, names
            if call.func.attr == "execute_sync" and len(call.args) > 1:
                yield call.args[1].value, names


def graphql_name(node: ast.ClassDef) -> str:
    for call in ast.walk(node):
        if isinstance(call, ast.FunctionDef) and call.name == "_graphql_name":
            return call.body[-1].value.value
    return node.name


def test_every_field_and_argument_of_the_client_is_in_the_schema(schema):
    classes = fields = arguments = 0
    missing = []
    for node in client_module().body:
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
        classes += 1
        if "Protocol" in bases or node.name == "Client":
            continue
        name = graphql_name(node)
        if name not in schema.types:
            missing.append(name)
            continue
        if bases == ["Enum"]:
            members = [item.targets[0].id for item in node.body if isinstance(item, ast.Assign)]
            missing += [f"{name}.{member}" for member in members if member not in schema.enum(name)]
        elif bases == ["Input"]:
            members = [item.target.id for item in node.body if isinstance(item, ast.AnnAssign)]
            missing += [f"{name}.{member}" for member in members if member not in schema.inputs(name)]
        for method in node.body:
            for field, names in select_calls(method):
                fields += 1
                if field not in schema.types[name]["f"]:
                    missing.append(f"{name}.{field}")
                    continue
                arguments += len(names)
                missing += [f"{name}.{field}({a})" for a in names if a not in schema.field(name, field).args]
    assert missing == []
    # A wheel that knows another number is another wheel: its schema has to be made anew.
    assert (classes, fields, arguments) == (160, 805, 746)


def test_legacy_loaders_are_the_clients(schema):
    ours = {name for name in schema.types["Query"]["f"] if name.startswith("load") and name.endswith("FromID")}
    theirs = {
        field
        for node in client_module().body
        if isinstance(node, ast.ClassDef)
        for field, _ in select_calls(node)
        if field.endswith("FromID")
    }
    assert ours == theirs
    assert len(ours) == 67


def test_each_view_is_valid_sdl_and_equals_the_table():
    for view, name in ((CURRENT, "schema-0.21"), (BEFORE_0_22, "schema-before-0.22")):
        text = (DATA / f"{name}.graphqls").read_text()
        built = graphql.build_schema(text)
        ours = Schema.load(view)
        assert graphql.validate_schema(built) == []
        assert {n for n in built.type_map if not n.startswith("__")} | {"Float"} == set(ours.types)
        assert '"""' not in text


def test_introspection_builds_the_same_schema_as_the_sdl(schema):
    document = parse(graphql.get_introspection_query())
    told = json.loads(answer(schema, document, document.operations[0].selections, {}))["data"]
    client = graphql.build_client_schema(told)
    sdl = graphql.build_schema((DATA / "schema-before-0.22.graphqls").read_text())
    bare = graphql.build_client_schema(graphql.introspection_from_schema(sdl, descriptions=False))
    changes = [
        *graphql.find_breaking_changes(client, bare),
        *graphql.find_breaking_changes(bare, client),
        *graphql.find_dangerous_changes(bare, client),
    ]
    # Modules may use Float, which the core doesn't; the libraries add standard directives of their own.
    ours_alone = ("Float", "@deprecated", "@oneOf")
    assert [c.description for c in changes if not any(word in c.description for word in ours_alone)] == []


def test_the_clients_introspection_query_is_answered_from_frozen_bytes(schema):
    document = parse(graphql.get_introspection_query())
    told = answer(Schema.load(), document, document.operations[0].selections, {})
    assert told == FROZEN.read_bytes().partition(b"\n")[2].rstrip(b"\n")
    standard = parse(STANDARD_QUERY)
    made = answer(schema.extend([]), standard, standard.operations[0].selections, {})
    assert json.loads(made) == json.loads(told), "the frozen answer is old: run tools/make_schema.py"


def test_introspection_names_only_directive_locations_of_graphql_core_3_2(schema):
    known = {
        "QUERY",
        "MUTATION",
        "SUBSCRIPTION",
        "FIELD",
        "FRAGMENT_DEFINITION",
        "FRAGMENT_SPREAD",
        "INLINE_FRAGMENT",
    } | {
        "VARIABLE_DEFINITION",
        "SCHEMA",
        "SCALAR",
        "OBJECT",
        "FIELD_DEFINITION",
        "ARGUMENT_DEFINITION",
        "INTERFACE",
        "UNION",
        "ENUM",
    }
    known |= {"ENUM_VALUE", "INPUT_OBJECT", "INPUT_FIELD_DEFINITION"}
    told = json.loads(FROZEN.read_bytes().partition(b"\n")[2])["data"]["__schema"]
    assert {location for directive in told["directives"] for location in directive["locations"]} <= known
    assert {"include", "skip", "deprecated", "expectedType"} <= {directive["name"] for directive in told["directives"]}


def test_applied_directives_are_told_on_request(schema):
    document = parse(
        "{__schema{types{name fields(includeDeprecated:true){name args(includeDeprecated:true){name isDeprecated "
        "directives{name args{name value}}} directives{name}}}}}"
    )
    told = json.loads(answer(schema, document, document.operations[0].selections, {}))
    container = next(t for t in told["data"]["__schema"]["types"] if t["name"] == "Container")
    field = next(f for f in container["fields"] if f["name"] == "withMountedDirectory")
    source = next(a for a in field["args"] if a["name"] == "source")
    assert source["directives"] == [{"name": "expectedType", "args": [{"name": "name", "value": '"Directory"'}]}]
    query = next(t for t in told["data"]["__schema"]["types"] if t["name"] == "Query")
    git = next(f for f in query["fields"] if f["name"] == "git")
    assert [a["isDeprecated"] for a in git["args"] if a["name"] == "keepGitDir"] == [False]


def test_enums_accept_every_alias_and_answer_the_first_name(schema):
    assert schema.enum("ImageLayerCompression")["GZIP"] == "Gzip"
    assert schema.enum("TypeDefKind")["STRING"] == "STRING_KIND"


def test_defaults_are_filled_in_on_request(schema):
    container = Call.make(None, "Container", "container")
    call = Call.make(container, "Container", "withExec", {"args": ("a",)})
    assert call.arguments() == {"args": ("a",)}
    filled = schema.arguments(call)
    assert filled["expect"] == "SUCCESS"
    assert filled["useEntrypoint"] is False
    forward = Call.make(Call.make(None, "Service", "s"), "Void", "up", {"ports": ({"backend": 1},)})
    assert schema.arguments(forward)["ports"] == ({"backend": 1, "protocol": "TCP"},)


def test_a_module_extends_a_copy_of_the_schema(schema):
    extended = schema.extend(
        [
            EnumSpec("MyModLevel", (("LOW", "low"), ("HIGH", "high"))),
            ObjectSpec(
                "MyMod",
                (
                    FieldSpec(
                        "test",
                        "[String!]!",
                        (
                            ArgumentSpec("level", "MyModLevel!", default="LOW"),
                            ArgumentSpec("source", "ID", expected="Directory", description="what to test"),
                        ),
                        description="Runs the tests",
                    ),
                ),
            ),
            ObjectSpec("Query", (FieldSpec("myMod", "MyMod!"),)),
        ]
    )
    assert "MyMod" not in schema.types
    assert extended.field("Query", "myMod").composite
    assert extended.field("MyMod", "test").args["level"].default == "LOW"
    assert extended.field("MyMod", "test").args["source"].expected == "Directory"
    assert extended.field("Query", "loadMyModFromID").loads
    assert extended.digest != schema.digest
    document = parse(graphql.get_introspection_query())
    told = json.loads(answer(extended, document, document.operations[0].selections, {}))["data"]
    client = graphql.build_client_schema(told)
    field = client.type_map["MyMod"].fields["test"]
    assert field.description == "Runs the tests"
    assert str(field.args["level"].type) == "MyModLevel!"


def test_what_does_not_fit_into_the_schema_is_refused(schema):
    with pytest.raises(DocumentError, match=r"no type 'Directry'.*'Directory'") as caught:
        schema.extend([ObjectSpec("M", (FieldSpec("f", "Directry!"),))])
    assert caught.value.reason == "unknown-type"
    with pytest.raises(InvalidInput, match="already has a field 'container'") as conflict:
        schema.extend([ObjectSpec("Query", (FieldSpec("container", "String!"),))])
    assert conflict.value.reason == "schema-conflict"


def test_serving_loads_no_heavy_library():
    heavy = "{'graphql', 'httpx', 'pydantic', 'h2', 'pyroute2', 'jinja2'}"
    code = (
        "import sys\n"
        "from sealane_engine.protocol import endpoint, server, http1\n"
        "from sealane_engine.protocol.schema import Schema\n"
        "Schema.load()\n"
        f"print(sorted({heavy} & set(sys.modules)))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
