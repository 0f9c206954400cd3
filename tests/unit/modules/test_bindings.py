"""The client of a module's dependencies: it compiles, and says the names, types and defaults that Dagger's SDK would."""

from __future__ import annotations

import inspect
import sys
import types

import pytest

from sealane_engine.modules.bindings import bindings, python_name
from sealane_engine.modules.module import Module
from sealane_engine.modules.publish import published
from sealane_engine.modules.source import ModuleSource
from sealane_engine.modules.typedefs import ArgDef, EnumMember, FieldDef, FunctionDef, Registered, TypeDef

STRING, VOID = TypeDef("STRING_KIND"), TypeDef("VOID_KIND", optional=True)
DIRECTORY = TypeDef("OBJECT_KIND", "Directory")
REPORT = TypeDef("OBJECT_KIND", "Report")
LEVEL = TypeDef("ENUM_KIND", "Level")


class Named(ModuleSource):
    module_name = "my-ci"


@pytest.fixture
def generated(monkeypatch):
    lint = FunctionDef(
        "run_lint",
        REPORT,
        (
            ArgDef("source", DIRECTORY),
            ArgDef("from", TypeDef("STRING_KIND", optional=True)),
            ArgDef("level", LEVEL, default='"HIGH"'),
            ArgDef("tags", TypeDef("LIST_KIND", element=STRING), default='["a"]'),
        ),
        'Says """hello""" \\ and more.',
    )
    main = TypeDef(
        "OBJECT_KIND",
        "MyCi",
        functions=(
            lint,
            FunctionDef("check", VOID),
            FunctionDef("all_reports", TypeDef("LIST_KIND", element=REPORT)),
        ),
        constructor=FunctionDef("", TypeDef("OBJECT_KIND", "MyCi"), (ArgDef("base", DIRECTORY, default_path="/"),)),
    )
    report = TypeDef("OBJECT_KIND", "Report", fields=(FieldDef("image_ID", STRING),))
    level = TypeDef("ENUM_KIND", "Level", members=(EnumMember("LOW"), EnumMember("HIGH", description="Much.")))
    shown = published(Registered("", (main, report), (level,)), "my-ci")
    module = Module(shown=shown, source=Named.__new__(Named))
    text = bindings([module])
    import dagger  # noqa: F401 - first: it would take our file for its own client

    made = types.ModuleType("dagger_gen")
    monkeypatch.setitem(sys.modules, "dagger_gen", made)
    exec(compile(text, "dagger_gen.py", "exec"), made.__dict__)  # the text is what is tested
    return {**vars(made), "text": text}


def test_a_dependency_is_a_method_of_the_client(generated):
    assert "    def my_ci(self, *, base: Directory | None = None) -> MyCi:\n" in generated["text"]
    assert isinstance(generated["dag"], generated["Client"])
    assert {"MyCi", "MyCiReport", "MyCiLevel", "Container", "dag"} <= {*generated["__all__"], "dag"}


def test_methods_have_the_names_types_and_defaults_of_the_functions(generated):
    lint = inspect.signature(generated["MyCi"].run_lint)
    assert list(lint.parameters) == ["self", "source", "from_", "level", "tags"]
    assert lint.parameters["level"].default is generated["MyCiLevel"].HIGH
    assert lint.parameters["tags"].default is None  # the engine knows it
    assert "tags: list[str] | None = None) -> MyCiReport:\n" in generated["text"]
    for line in (
        "async def check(self) -> None:",
        "async def all_reports(self) -> list[MyCiReport]:",
        "async def image_id(self) -> str:",
    ):
        assert f"    {line}\n" in generated["text"]


def test_a_chain_is_a_query_of_the_dependency(generated):
    chain = generated["Client"]().my_ci().run_lint(generated["dag"].directory(), from_="x")
    assert [each.name for each in chain._ctx.selections] == ["myCi", "runLint"]
    assert set(chain._ctx.selections[1].args) == {"source", "from"}


@pytest.mark.parametrize(
    ("name", "python"),
    [("runLint", "run_lint"), ("imageID", "image_id"), ("from", "from_"), ("asJSON", "as_json"), ("list", "list_")],
)
def test_names_are_those_of_daggers_sdk(name, python):
    assert python_name(name) == python
