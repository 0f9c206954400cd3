"""Which objects fit which interfaces: names, arguments and what is answered, itself included."""

from __future__ import annotations

import pytest

from sealane_engine.modules.interfaces import fitting
from sealane_engine.modules.module import Module
from sealane_engine.modules.typedefs import ArgDef, FieldDef, FunctionDef, Registered, TypeDef

STRING, NUMBER = TypeDef("STRING_KIND"), TypeDef("INTEGER_KIND")
MAYBE = TypeDef("STRING_KIND", optional=True)
DUCK, MALLARD = TypeDef("INTERFACE_KIND", "Duck"), TypeDef("OBJECT_KIND", "Mallard")
QUACK = FunctionDef("quack", STRING, (ArgDef("times", NUMBER),))


def fits(wanted: list[FunctionDef], *offered: FunctionDef | FieldDef) -> bool:
    interface = TypeDef("INTERFACE_KIND", "Duck", functions=tuple(wanted))
    found = TypeDef(
        "OBJECT_KIND",
        "Mallard",
        functions=tuple(each for each in offered if isinstance(each, FunctionDef)),
        fields=tuple(each for each in offered if isinstance(each, FieldDef)),
    )
    modules = [Module(shown=Registered("", (found,))), Module(shown=Registered("", (), (), (interface,)))]
    return [each.interfaces for each in fitting(modules)] == [("Duck",)]


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        (QUACK, True),
        (FunctionDef("quack", STRING), False),  # the argument isn't taken
        (FunctionDef("quack", STRING, (ArgDef("times", STRING),)), False),
        (FunctionDef("quack", NUMBER, QUACK.args), False),
        (FunctionDef("quack", MAYBE, QUACK.args), False),
        (FunctionDef("moo", STRING, QUACK.args), False),
        (FunctionDef("quack", STRING, (*QUACK.args, ArgDef("more", MAYBE))), True),
        (FunctionDef("quack", STRING, (*QUACK.args, ArgDef("more", STRING, default='"x"'))), True),
        (FunctionDef("quack", STRING, (*QUACK.args, ArgDef("more", STRING))), False),
    ],
)
def test_a_function_fits_by_name_arguments_and_answer(offered, answer):
    assert fits([QUACK], offered) is answer


def test_a_field_fits_a_function_without_arguments():
    assert fits([FunctionDef("name", STRING)], FieldDef("name", STRING))
    assert not fits([QUACK], FieldDef("quack", STRING))


def test_what_answers_its_own_kind_fits_an_interface_that_answers_itself():
    assert fits([FunctionDef("loud", DUCK)], FunctionDef("loud", MALLARD))
    listed = FunctionDef("flock", TypeDef("LIST_KIND", element=DUCK))
    assert fits([listed], FunctionDef("flock", TypeDef("LIST_KIND", element=MALLARD)))
    assert not fits([FunctionDef("loud", DUCK), QUACK], FunctionDef("loud", MALLARD))
