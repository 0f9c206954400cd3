"""Include, exclude and .gitignore: the answers of docker's patternmatcher and of go-git."""

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.host.patterns import Filter
from sealane_engine.store.wildcard import Pattern

MATCHES = [
    # pattern, path, whether that path itself is meant (table of moby's patternmatcher)
    ("**", "file", True),
    ("**", "a/b", True),
    ("**/", "file", True),
    ("**/**", "dir/file", True),
    ("dir/**", "dir/file", True),
    ("dir/**", "dir/a/b", True),
    ("dir/**", "dir", False),
    ("**/dir", "dir", True),
    ("**/dir", "a/dir", True),
    ("**/dir2/*", "dir/dir2/file", True),
    ("**/dir2/*", "dir/dir2/a/file", False),
    ("**/dir2/**", "dir/dir2/dir2/file", True),
    ("a**/*.txt", "abc/def/file.txt", True),
    ("a**/*.txt", "abc.txt", True),
    ("a**/*.txt", "abc/def.txt", True),
    ("a**/**/*.txt", "abc/def/file.txt", True),
    ("a[b-d]e", "ae", False),
    ("a[b-d]e", "ace", True),
    ("a[^b-d]e", "aze", True),
    ("a[^b-d]e", "ace", False),
    ("abc.def", "abcZdef", False),
    ("abc?def", "abcZdef", True),
    ("abc?def", "abc/def", False),
    ("a\\*b", "a*b", True),
    ("a\\*b", "axb", False),
    ("a\\[b", "a[b", True),
    ("**/foo/bar", "foo/bar", True),
    ("**/foo/bar", "dir/foo/bar", True),
    ("abc/**", "abc", False),
    (".*", ".foo", True),
    (".*", "foo", False),
    ("*.(x)+{y}|$^", "a.(x)+{y}|$^", True),
    ("./a/../b/", "b", True),
    ("/abs", "abs", False),
    ("[[]x", "[x", True),
    ("[a&&b]", "&", True),
]


@pytest.mark.parametrize(("pattern", "path", "expected"), MATCHES)
def test_one_pattern(pattern, path, expected):
    assert Pattern(pattern).matches(path) is expected


@pytest.mark.parametrize("pattern", ["[", "[a", "a\\", "[]", "[z-a]", "!"])
def test_broken_patterns(pattern):
    with pytest.raises(InvalidInput) as error:
        Pattern(pattern)
    assert error.value.reason == "bad-pattern"


LISTS = [
    # exclude, path, whether it's out
    (["docs", "!docs/README.md"], "docs/README.md", False),
    (["docs", "!docs/README.md"], "docs/x", True),
    (["*.md", "!README.md"], "README.md", False),
    (["!README.md", "*.md"], "README.md", True),
    (["a/b", "!a", "a/b/c"], "a/b/c", True),
    (["dir", "!dir/keep", "dir/keep/not"], "dir/keep/not", True),
    (["dir", "!dir/keep", "dir/keep/not"], "dir/keep/yes", False),
    (["*"], "a/b/c", True),
    (["a.py"], "n/a.py", False),
    (["", "  ", "x"], "x", True),
]


@pytest.mark.parametrize(("exclude", "path", "out"), LISTS)
def test_the_last_pattern_that_matches_decides(exclude, path, out):
    assert Filter(exclude=exclude).match(path, False) is not out


def test_a_directory_that_is_included_has_all_of_it():
    assert Filter(include=["d"]).match("d/a/b", False)


WALKS = [
    # include, exclude, a directory, whether it must be walked
    ([], ["node_modules"], "node_modules", False),
    ([], ["node_modules"], "src", True),
    ([], ["**/node_modules"], "a/node_modules", False),
    ([], ["*", "!src/a"], "src", True),
    ([], ["*", "!src/a"], "lib", False),
    ([], ["*", "!**/a"], "lib", True),
    (["src/**"], [], "src", True),
    (["src/**"], [], "lib", False),
    (["**/*.py"], [], "lib", True),
    (["src/a/b"], [], "src/a", True),
    (["src/a/b"], [], "src/c", False),
]


@pytest.mark.parametrize(("include", "exclude", "path", "walked"), WALKS)
def test_directories_that_cannot_matter_are_not_walked(include, exclude, path, walked):
    assert Filter(include, exclude).may_match_below(path) is walked


IGNORES = [
    # files: (directory, lines); path (a directory ends with /); whether it's ignored
    ([("", ["*.log"])], "a/b.log", True),
    ([("", ["*.log", "!keep.log"])], "keep.log", False),
    ([("", ["/build/"])], "build/", True),
    ([("", ["/build/"])], "build/x", True),
    ([("", ["/build/"])], "src/build/", False),
    ([("", ["build/"])], "src/build/", True),
    ([("", ["build/"])], "build", False),
    ([("", ["doc/*.txt"])], "doc/a.txt", True),
    ([("", ["doc/*.txt"])], "doc/x/a.txt", False),
    ([("", ["**/pkg"])], "a/b/pkg/", True),
    ([("", ["a/**/z"])], "a/b/c/z", True),
    ([("", ["a/**"])], "a/b", True),
    ([("", ["*.log"]), ("sub", ["!important.log"])], "sub/important.log", False),
    ([("", ["*.log"]), ("sub", ["!important.log"])], "important.log", True),
    ([("sub", ["/x"])], "sub/x", True),
    ([("sub", ["/x"])], "x", False),
    ([("", ["temp/", "!temp/keep.txt"])], "temp/keep.txt", False),
    ([("", ["temp/", "!temp/keep.txt"])], "temp/", True),
    ([("", ["\\#x", "\\!y"])], "#x", True),
    ([("", ["\\#x", "\\!y"])], "!y", True),
    ([("", ["# comment", "", "  "])], "# comment", False),
    ([("", ["trail   "])], "trail", True),
    ([("", ["[broken"])], "[broken", False),
]


@pytest.mark.parametrize(("files", "path", "ignored"), IGNORES)
def test_gitignore(files, path, ignored):
    assert Filter(gitignore=files).match(path.rstrip("/"), path.endswith("/")) is not ignored


def test_ignored_directories_are_not_walked_unless_something_may_come_back():
    assert not Filter(gitignore=[("", ["node_modules/"])]).may_match_below("node_modules")
    assert Filter(gitignore=[("", ["temp/", "!temp/keep.txt"])]).may_match_below("temp")
    assert not Filter(gitignore=[("", ["temp/", "!other/keep.txt"])]).may_match_below("temp")


def test_filters_that_decide_equally_have_one_key():
    assert Filter(["a"], ["b"]).key == Filter(["a"], ["b"]).key != Filter(["b"], ["a"]).key
