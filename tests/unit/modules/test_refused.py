"""What a module's types may not say. Each case is one that Dagger's own tests refuse, or that its engine names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.modules.module import Module
from sealane_engine.modules.refused import check
from sealane_engine.modules.typedefs import ArgDef, FieldDef, FunctionDef, Registered, TypeDef

STRING = TypeDef("STRING_KIND")
THEIRS = TypeDef("OBJECT_KIND", "DepObj")
LISTED = TypeDef("LIST_KIND", element=THEIRS)
OWN = TypeDef("OBJECT_KIND", "Test")


class Dependency(Module):
    """A module by name alone."""

    name = "dep"


def dependency() -> Module:
    return Dependency(shown=Registered(objects=(TypeDef("OBJECT_KIND", "Dep"), THEIRS)))


def refused(found: TypeDef, *, interface: bool = False) -> tuple[str, str]:
    registered = Registered(interfaces=(found,)) if interface else Registered(objects=(found,))
    with pytest.raises(InvalidInput) as error:
        check(registered, [dependency()])
    return error.value.reason, str(error.value)


@pytest.mark.parametrize("theirs", [THEIRS, LISTED])
class TestOfADependency:
    def test_is_not_answered(self, theirs: TypeDef):
        reason, said = refused(replace(OWN, functions=(FunctionDef("fn", theirs),)))
        assert reason == "external-type"
        assert 'object "Test" function "fn" cannot return external type from dependency module "dep"' in said

    def test_is_not_taken(self, theirs: TypeDef):
        for function in (FunctionDef("fn", STRING, (ArgDef("obj", theirs),)),):
            _, said = refused(replace(OWN, functions=(function,)))
            assert (
                'object "Test" function "fn" arg "obj" cannot reference external type from dependency module "dep"'
                in said
            )

    def test_is_not_kept(self, theirs: TypeDef):
        _, said = refused(replace(OWN, fields=(FieldDef("foo", theirs),)))
        assert 'object "Test" field "foo" cannot reference external type from dependency module "dep"' in said

    def test_is_in_no_interface(self, theirs: TypeDef):
        face = TypeDef("INTERFACE_KIND", "Face", functions=(FunctionDef("fn", STRING, (ArgDef("obj", theirs),)),))
        _, said = refused(face, interface=True)
        assert 'interface "Face" function "fn" cannot accept arg "obj" of external type' in said


def test_a_constructor_takes_none_either():
    reason, _ = refused(replace(OWN, constructor=FunctionDef("", OWN, (ArgDef("obj", THEIRS),))))
    assert reason == "external-type"


@pytest.mark.parametrize(
    "found",
    [replace(OWN, fields=(FieldDef("id", STRING),)), replace(OWN, functions=(FunctionDef("id", STRING),))],
)
def test_id_is_the_engine_s_own(found: TypeDef):
    reason, said = refused(found)
    assert reason == "reserved-name"
    assert 'with reserved name "id" on object "Test"' in said


def test_a_workspace_is_taken_and_never_kept():
    workspace = TypeDef("OBJECT_KIND", "Workspace")
    reason, said = refused(replace(OWN, fields=(FieldDef("where", workspace),)))
    assert reason == "workspace-field"
    assert "function's argument" in said
    check(
        Registered(objects=(replace(OWN, functions=(FunctionDef("fn", STRING, (ArgDef("w", workspace),)),)),)),
        [dependency()],
    )


def test_types_of_its_own_and_of_dagger_are_fine():
    own = TypeDef("OBJECT_KIND", "DepObj")  # the same name as theirs has
    main = replace(
        OWN,
        fields=(FieldDef("foo", own),),
        functions=(FunctionDef("fn", TypeDef("OBJECT_KIND", "Container"), (ArgDef("obj", LISTED),)),),
    )
    check(Registered(objects=(main, own)), [dependency()])
