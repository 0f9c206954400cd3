"""Words of a Dockerfile, and .dockerignore files."""

import pytest

from sealane_engine.dockerfile import ignore
from sealane_engine.dockerfile.words import WordError, expand, expand_words

VARIABLES = {"A": "one", "B": "two words", "EMPTY": "", "F": "foobar-foobaz", "P": "/usr/local/bin"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A", "one"),
        ("${A}x$NO|", "onex|"),
        ("\"$A\" '$A'", "one $A"),
        (r"\$A \\", r"$A \ ".strip()),
        (r'"\$A \n \""', r'$A \n "'),
        ("${NO:-d}${A:-d}${EMPTY:-d}${EMPTY-d}", "doned"),
        ("${NO:+d}${A:+d}${EMPTY:+d}${EMPTY+d}", "dd"),
        ("${NO:-${A}}", "one"),
        ("${F#*ba}${F##*ba}", "r-foobazz"),
        ("${P%/*} ${P%%/*}|", "/usr/local |"),
        ("${F/foo/x} ${F//foo/x}", "xbar-foobaz xbar-xbaz"),
        ("$", "$"),
        ("a$", "a$"),
    ],
)
def test_a_word_is_expanded(text, expected):
    assert expand(text, VARIABLES) == expected


def test_words_are_split_outside_quotes():
    assert expand_words('a "b c" $B d\\ e', VARIABLES) == ["a", "b c", "two", "words", "d e"]


@pytest.mark.parametrize("text", ["${A", "'a", '"a', "${A!x}", "${NO:?must be set}", "${}"])
def test_what_is_no_word_is_refused(text):
    with pytest.raises(WordError):
        expand(text, VARIABLES)


def test_ignore_patterns_are_cleaned():
    text = "# no\n\n  a/b/../c  \n/root\n!  keep/ \n**/x\n \n"
    assert ignore.parse(text) == ("a/c", "root", "!keep", "**/x")
