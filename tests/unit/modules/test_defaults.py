"""A user's defaults from .env: which argument a name means, and what becomes of its value."""

from __future__ import annotations

import json

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.host import dotenv
from sealane_engine.modules.defaults import with_defaults
from sealane_engine.modules.publish import published
from sealane_engine.modules.typedefs import ArgDef, FunctionDef, Registered, TypeDef

STRING, NUMBER, FLAG = TypeDef("STRING_KIND"), TypeDef("INTEGER_KIND"), TypeDef("BOOLEAN_KIND")
NAMES = TypeDef("LIST_KIND", element=STRING)
SECRET = TypeDef("OBJECT_KIND", "Secret")


def shown(**env: str) -> Registered:
    push = FunctionDef(
        "push_image",
        STRING,
        (ArgDef("tag", STRING), ArgDef("retries", NUMBER), ArgDef("names", NAMES), ArgDef("dry_run", FLAG)),
    )
    main = TypeDef(
        "OBJECT_KIND",
        "MyApp",
        functions=(push,),
        constructor=FunctionDef(
            "", TypeDef("OBJECT_KIND", "MyApp"), (ArgDef("registry", STRING), ArgDef("token", SECRET))
        ),
    )
    other = TypeDef("OBJECT_KIND", "Report", functions=(FunctionDef("send", STRING, (ArgDef("to", STRING),)),))
    return with_defaults(published(Registered("", (main, other)), "my-app"), "my-app", tuple(env.items()))


def defaults(function: FunctionDef) -> dict[str, object]:
    return {each.original: json.loads(each.default) for each in function.args if each.default is not None}


def test_names_mean_arguments_of_the_constructor_and_of_functions():
    main, other = shown(REGISTRY="r", push_image_TAG="t", pushImage_retries="3", REPORT_SEND_TO="x", TAG="no").objects
    assert main.constructor is not None
    assert defaults(main.constructor) == {"registry": "r"}
    assert defaults(main.functions[0]) == {"tag": "t", "retries": 3}
    assert defaults(other.functions[0]) == {"to": "x"}


@pytest.mark.parametrize(("text", "names"), [("a,b", ["a", "b"]), ('["a", "b,c"]', ["a", "b,c"]), ("", [])])
def test_a_list_is_written_as_on_the_command_line_or_as_json(text, names):
    assert defaults(shown(PUSH_IMAGE_NAMES=text).objects[0].functions[0]) == {"names": names}


def test_an_object_is_an_address():
    build = shown(TOKEN="env://TOKEN").objects[0].constructor
    assert build is not None
    token = build.args[1]
    assert (token.default_address, token.type.optional, token.contextual) == ("env://TOKEN", True, True)


@pytest.mark.parametrize(("name", "value"), [("PUSH_IMAGE_RETRIES", "many"), ("PUSH_IMAGE_DRY_RUN", "perhaps")])
def test_a_value_of_the_wrong_kind_is_refused(name, value):
    with pytest.raises(InvalidInput) as caught:
        shown(**{name: value})
    assert caught.value.reason == "user-default"


def test_lines_are_unquoted_expanded_and_named_by_prefix():
    raw = dotenv.parse("export A=1\nB=\"$A-${HOST}\"\nC='$A'\nMY_APP_X=y\nmyApp_Z=w\nOTHER_X=n\n")
    values = dotenv.values(raw, (("HOST", "h"),))
    assert dict(values) == {"A": "1", "B": "1-h", "C": "$A", "MY_APP_X": "y", "myApp_Z": "w", "OTHER_X": "n"}
    assert dotenv.namespaced(values, "my-app") == (("X", "y"), ("Z", "w"))
    assert dict(dotenv.unquoted(raw))["B"] == "$A-${HOST}"
