"""What a shell script's text means, and where it makes no sense."""

from __future__ import annotations

import pytest

from sealane.cli.shell.syntax import Command, For, Group, If, Substitution, Text, Variable, parse
from sealane.errors import UsageError


def commands(source):
    """The words of each command of a script's first pipeline, as texts where they are plain."""
    pipeline = parse(source).statements[0].first
    return [
        ["".join(getattr(part, "text", "?") for part in word.parts) for word in each.words]
        for each in pipeline.commands
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("container | from alpine | stdout", [["container"], ["from", "alpine"], ["stdout"]]),
        ("a \\\n  b # c\n", [["a", "b"]]),
        ("a\n  | b\n", [["a"], ["b"]]),
        ("""a 'x y' "b c"d e\\ f ''""", [["a", "x y", "b cd", "e f", ""]]),
        ("with-exec -- sh -c 'exit 1 | true'", [["with-exec", "--", "sh", "-c", "exit 1 | true"]]),
        ("a --x=1,2 https://example.com/#main", [["a", "--x=1,2", "https://example.com/#main"]]),
        ('a "\\$x \\n"', [["a", "$x \\n"]]),
        ("a $", [["a", "$"]]),
    ],
)
def test_words(source, expected):
    assert commands(source) == expected


def test_variables_and_substitutions():
    (word,) = parse('"a$x${y:-z}$(b | c)"').statements[0].first.commands[0].words
    assert word.parts[0] == Text("a")
    assert word.parts[1] == Variable("x", quoted=True)
    assert (word.parts[2].name, word.parts[2].default.parts) == ("y", (Text("z"),))
    assert isinstance(word.parts[3], Substitution)
    assert len(word.parts[3].script.statements[0].first.commands) == 2
    (assigned,) = parse("x=$(a)").statements[0].first.commands
    assert (assigned.assignments[0][0], assigned.words) == ("x", ())


def test_structure():
    script = parse(
        "a | b && c || ! d; if a; then b; elif c; then d; else e; fi\nfor i in 1 2; do f $i; done\n{ g; } | h"
    )
    first, conditional, loop, group = script.statements
    assert [operator for operator, _ in first.rest] == ["&&", "||"]
    assert [len(first.first.commands), first.rest[1][1].negated] == [2, True]
    assert isinstance(conditional.first.commands[0], If)
    assert len(conditional.first.commands[0].branches) == 2
    assert isinstance(loop.first.commands[0], For)
    assert isinstance(group.first.commands[0], Group)
    assert isinstance(group.first.commands[1], Command)
    assert parse(" \n# nothing\n").statements == ()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a |", "1:4: a command is missing"),
        ("a\nb 'c", "2:3: a quote (') is not closed"),
        ('a "b', '1:3: a quote (") is not closed'),
        ("a $(b", "1:3: $( is not closed by )"),
        ("a )", "1:3: unexpected ')'"),
        ("a ; ; b", "1:5: a command is missing before ';'"),
        ("if a; then b", "1:1: if is not closed by 'fi'"),
        ("for 1 in a; do b; done", "1:5: for needs a variable"),
        ("fi", "1:1: unexpected 'fi'"),
        ("a & b", "commands in the background are not supported"),
        ("a > b", "redirections are not supported"),
        ("(a)", "subshells are not supported"),
        ("while a; do b; done", "'while' is not supported here"),
        ("a `b`", "backquotes are not supported"),
        ("a ${x%y}", "only ${NAME} and ${NAME:-default} are supported"),
        ("a $((1+1))", "arithmetic is not supported"),
    ],
)
def test_what_makes_no_sense_is_said_with_its_place(source, message):
    with pytest.raises(UsageError, match=r"^\d+:\d+: ") as caught:
        parse(source)
    assert message in str(caught.value)
    assert caught.value.reason == "shell-syntax"
