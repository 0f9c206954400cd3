"""Documents: what is read, what is refused, and that neither depth nor nonsense costs much."""

from __future__ import annotations

import contextlib

import graphql
import pytest

from sealane_engine.protocol.document import Inline, Name, Selected, Spread, Variable, parse, parse_literal
from sealane_engine.protocol.failures import DocumentError, location


def first(source: str) -> Selected:
    selection = parse(source).operations[0].selections[0]
    assert isinstance(selection, Selected)
    return selection


def test_a_field_has_its_alias_arguments_and_selections():
    field = first('{ a: container(platform: "linux/amd64", n: [1, -2.5e1], o: {x: {y: [[]]}, e: {}}) { stdout } }')
    assert (field.key, field.name) == ("a", "container")
    assert field.args == {"platform": "linux/amd64", "n": [1, -25.0], "o": {"x": {"y": [[]]}, "e": {}}}
    assert [inner.name for inner in field.selections or ()] == ["stdout"]


def test_literals_keep_their_kinds():
    args = first("{f(a: ANY, b: true, c: null, d: $v, e: [$v, ONE])}").args
    assert isinstance(args["a"], Name)
    assert args == {"a": "ANY", "b": True, "c": None, "d": Variable("v"), "e": [Variable("v"), "ONE"]}


@pytest.mark.parametrize(
    "literal",
    [
        '"plain"',
        '""',
        r'"tab\tquote\"slash\/ back\\ é 😀 \u{1F600}"',
        '"""block"""',
        '"""\n    indented\n      more\n\n    \\""" end \\n\n  """',
        '"""a "quoted" b"""',
        '"# no comment, {}"',
    ],
)
def test_strings_mean_what_the_standard_says(literal):
    assert parse_literal(literal) == graphql.parse_value(literal).value


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "no-operation"),
        ("{", "syntax"),
        ("{}", "syntax"),
        ("{a{}}", "syntax"),
        ("{a}}", "syntax"),
        ('{a(b:"x}', "syntax"),
        ('{a(b:"x\ny")}', "syntax"),
        (r'{a(b:"\x")}', "syntax"),
        (r'{a(b:"\ud800")}', "syntax"),
        ("{a(b:)}", "syntax"),
        ("{a(b:1 b:2)}", "syntax"),
        ("{a(b:{c:1 c:2})}", "syntax"),
        ("{a(b:[1)}", "syntax"),
        ("{a(b:01)}", "syntax"),
        ("{a(b:1x)}", "syntax"),
        ("{a(b:" + "9" * 5000 + ")}", "bad-value"),
        ("{a ? b}", "syntax"),
        ("query($a: [Int = 1) {a}", "syntax"),
        ("fragment on on A {a} {a}", "syntax"),
        ("fragment A on X {...B} fragment B on X {c{...A}} {a}", "fragment-cycle"),
        ("fragment A on X {...A} {a}", "fragment-cycle"),
        ("fragment A on X {a} fragment A on X {a} {a}", "syntax"),
    ],
)
def test_nonsense_is_a_typed_error(source, reason):
    with pytest.raises(DocumentError) as caught:
        parse(source).operation("")
    assert caught.value.reason == reason


def test_the_position_of_an_error_is_told():
    with pytest.raises(DocumentError) as caught:
        parse("{\n  a(b: 1\n  {x}}")
    assert location("{\n  a(b: 1\n  {x}}", caught.value.position) == {"line": 3, "column": 3}


def test_fragments_and_variables_are_read():
    document = parse(
        """query Q($a: [String!]! = ["x"], $b: Int) @d { ...F @include(if: $b) ... on T { x } ... @skip(if: true) { y } }
        fragment F on Query { version }"""
    )
    operation = document.operation("Q")
    assert [(v.name, v.type, v.default) for v in operation.variables] == [
        ("a", "[String!]!", ["x"]),
        ("b", "Int", None),
    ]
    spread, typed, untyped = operation.selections
    assert isinstance(spread, Spread)
    assert isinstance(typed, Inline)
    assert isinstance(untyped, Inline)
    assert (spread.name, typed.condition, untyped.condition) == ("F", "T", "")
    assert document.fragments["F"].condition == "Query"


def test_an_operation_is_chosen_by_name_and_an_empty_name_is_none():
    document = parse("query A {a} query B {b}")
    assert document.operation("B").name == "B"
    assert parse("query A {a}").operation("").name == "A"
    for name in ("", None, "C"):
        with pytest.raises(DocumentError):
            document.operation(name)


@pytest.mark.parametrize(
    "source",
    [
        "{a" * 20_000 + "}" * 20_000,
        "{a(b:" + "[" * 200_000,
        "{a(b:" + "{c:" * 100_000,
        '{a(b:"' + "x" * 1_000_000,
        '{a(b:"""' + '"x' * 500_000,
        "#" * 1_000_000,
        "{" * 500_000,
        " " * 2_000_000 + "?",
        "{a" + "," * 2_000_000,
    ],
)
@pytest.mark.timeout(60)
def test_reading_a_document_takes_no_more_than_linear_time(source):
    """Seconds at most; anything quadratic in these sizes would take hours, and ends at the time limit."""
    with contextlib.suppress(DocumentError):
        parse(source)
