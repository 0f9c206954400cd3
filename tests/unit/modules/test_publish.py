"""A registered module in the schema: names, types, defaults, entrypoint; and the same again after being stored."""

from __future__ import annotations

import json

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.modules.names import camel, kebab, lower_camel
from sealane_engine.modules.publish import (
    constructor,
    entrypoint_functions,
    main_object,
    namespaced,
    published,
    specifications,
)
from sealane_engine.modules.typedefs import ArgDef, EnumMember, FieldDef, FunctionDef, Registered, TypeDef
from sealane_engine.protocol.schema import Schema

STRING = TypeDef("STRING_KIND")
LEVEL = TypeDef("ENUM_KIND", "Level")


def a_module() -> Registered:
    lint = FunctionDef(
        "run_lint",
        TypeDef("OBJECT_KIND", "Report"),
        (
            ArgDef("level", LEVEL, default='"LOW"', original="level"),
            ArgDef("more_files", TypeDef("LIST_KIND", element=TypeDef("OBJECT_KIND", "File"), optional=True)),
            ArgDef("source", TypeDef("OBJECT_KIND", "Directory"), default_path="/", ignore=(".git",)),
        ),
        check=True,
    )
    build = FunctionDef("", TypeDef("OBJECT_KIND", "MyMod"), (ArgDef("base_name", STRING, default='"x"'),))
    main = TypeDef(
        "OBJECT_KIND",
        "MyMod",
        fields=(FieldDef("python_version", STRING),),
        functions=(lint, FunctionDef("container", STRING)),
        constructor=build,
    )
    report = TypeDef("OBJECT_KIND", "Report", fields=(FieldDef("passed", TypeDef("BOOLEAN_KIND")),))
    level = TypeDef("ENUM_KIND", "Level", members=(EnumMember("LOW", "low"), EnumMember("HIGH", "high")))
    return Registered("About", (main, report), (level,))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("python_version", ("python-version", "PythonVersion", "pythonVersion")),
        ("sha256", ("sha-256", "Sha256", "sha256")),
        ("dockerConfig", ("docker-config", "DockerConfig", "dockerConfig")),
        ("my-mod", ("my-mod", "MyMod", "myMod")),
        ("JSONData", ("json-data", "JSONData", "jSONData")),
    ],
)
def test_names_are_cased_as_dagger_does(name, words):
    assert (kebab(name), camel(name), lower_camel(name)) == words


@pytest.mark.parametrize(
    ("name", "module", "shown"),
    [
        ("MyMod", "my-mod", "MyMod"),
        ("Report", "my-mod", "MyModReport"),
        ("MyModReport", "my-mod", "MyModReport"),
        ("Postman", "post", "PostPostman"),
    ],
)
def test_objects_are_namespaced_once(name, module, shown):
    assert namespaced(name, module) == shown


def test_uses_of_own_types_follow_their_new_names():
    shown = published(a_module(), "my-mod")
    main = main_object(shown, "my-mod")
    lint = main.function("run_lint")
    assert lint is not None
    assert (lint.name, lint.returns.name, lint.args[0].type.name) == ("runLint", "MyModReport", "MyModLevel")
    assert [each.name for each in lint.args] == ["level", "moreFiles", "source"]
    assert [each.type.optional for each in lint.args] == [False, True, True]  # the engine finds the last one
    assert (main.fields[0].name, main.fields[0].original) == ("pythonVersion", "python_version")


def test_the_schema_gets_types_constructor_and_entrypoint_functions():
    schema = Schema.load()
    taken = tuple(schema.types["Query"]["f"])
    shown = published(a_module(), "my-mod")
    extended = schema.extend(specifications(shown, "my-mod", entrypoint=True, taken=taken))
    assert str(extended.field("Query", "myMod").type) == "MyMod!"
    assert str(extended.field("Query", "with").type) == "Query!"
    lint = extended.field("Query", "runLint")
    assert (str(lint.type), str(lint.args["level"].type), lint.args["level"].default) == (
        "MyModReport!",
        "MyModLevel!",
        "LOW",
    )
    assert (str(lint.args["moreFiles"].type), lint.args["moreFiles"].expected) == ("[ID!]", "File")
    # a core field keeps its place
    assert str(extended.field("Query", "container").type) == "Container!"
    assert extended.field("MyMod", "container") is not None


def test_a_module_without_constructor_arguments_has_no_with():
    registered = Registered(objects=(TypeDef("OBJECT_KIND", "MyMod"),))
    shown = published(registered, "my-mod")
    assert entrypoint_functions(shown, "my-mod") == []
    assert constructor(shown, "my-mod").name == "myMod"


def test_a_module_without_its_main_object_says_which_is_missing():
    with pytest.raises(InvalidInput) as caught:
        main_object(published(a_module(), "other"), "other")
    assert caught.value.reason == "no-main-object"
    assert '"Other"' in caught.value.message


def test_what_was_registered_is_the_same_after_being_stored():
    registered = a_module()
    stored = json.loads(json.dumps(registered.to_json()))
    assert Registered.from_json(stored) == registered
