"""Changeset: what was added, modified and removed between two directories, and applying it elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import dagger

from .table import Cases, each, files, ordered

CASES = case = Cases("changes", "core/integration/changeset_test.go")


def before(d: dagger.Client) -> dagger.Directory:
    return d.directory().with_directory("/", files(d, same="s", mod="old", gone="g")).with_new_file("dir/mod", "old")


def after(d: dagger.Client) -> dagger.Directory:
    found = d.directory().with_directory("/", files(d, same="s", mod="new", added="a"))
    return found.with_new_file("dir/mod", "new").with_new_file("dir/added", "x").with_new_file("fresh/added", "y")


def changes(d: dagger.Client) -> dagger.Changeset:
    return after(d).changes(before(d))


def gone(d: dagger.Client) -> dagger.Changeset:
    whole = files(d, "keep", "rm", "rm-dir/f", "rm-dir/sub/n", "kept/f").with_new_directory("empty")
    return files(d, "keep", "kept/f").changes(whole)


def nothing(d: dagger.Client) -> dagger.Changeset:
    return before(d).changes(before(d))


case(
    "TestChangeset addedFiles",
    "added",
    lambda d: ordered(changes(d).added_paths()),
    ["added", "dir/added", "fresh/", "fresh/added"],
)
case(
    "TestChangeset modifiedPaths",
    "modified, without directories",
    lambda d: ordered(changes(d).modified_paths()),
    ["dir/mod", "mod"],
)
case("TestChangeset removedPaths", "removed", lambda d: changes(d).removed_paths(), ["gone"])
case(
    "TestChangeset removedPaths with directories",
    "a removed directory stands for what is in it",
    lambda d: ordered(gone(d).removed_paths()),
    ["empty/", "rm", "rm-dir/"],
)
case("TestChangeset modifiedPaths with empty changes", "nothing modified", lambda d: nothing(d).modified_paths(), [])
case("TestChangeset", "nothing added", lambda d: nothing(d).added_paths(), [])
case("TestChangeset", "nothing removed", lambda d: nothing(d).removed_paths(), [])
case("TestEmpty", "empty, or not", lambda d: each(nothing(d).is_empty(), changes(d).is_empty()), [True, False])
case(
    "TestChangeset layer basic",
    "a layer has what is new",
    lambda d: ordered(changes(d).layer().glob("**/*")),
    ["added", "dir/", "dir/added", "dir/mod", "fresh/", "fresh/added", "mod"],
)
case("TestChangeset layer with empty changes", "an empty layer", lambda d: nothing(d).layer().entries(), [])
case("TestChangeset layer basic", "contents in a layer", lambda d: changes(d).layer().file("dir/mod").contents(), "new")


async def stats(found: dagger.Changeset) -> object:
    return [
        [await one.path(), (await one.kind()).value, await one.added_lines(), await one.removed_lines()]
        for one in await found.diff_stats()
    ]


case(
    "TestChangeset diffStats basic",
    "statistics by path",
    lambda d: stats(files(d, mod="one\nnew\n", add="hello\n").changes(files(d, mod="one\nold\n", rm="gone\n"))),
    [["add", "ADDED", 1, 0], ["mod", "MODIFIED", 1, 1], ["rm", "REMOVED", 0, 1]],
)
case(
    "TestChangeset diffStats rename includes oldPath",
    "a renamed file",
    lambda d: stats(files(d, new="same\ncontent\n").changes(files(d, old="same\ncontent\n"))),
    [["new", "RENAMED", 0, 0]],
)
case(
    "TestChangeset diffStats includes nested removed paths",
    "removed directories, one by one",
    lambda d: stats(files(d, keep="s\n").changes(files(d, keep="s\n", **{"dir/1": "a\nb\n", "dir/sub/2": "c\n"}))),
    [
        ["dir/", "REMOVED", 0, 0],
        ["dir/1", "REMOVED", 0, 2],
        ["dir/sub/", "REMOVED", 0, 0],
        ["dir/sub/2", "REMOVED", 0, 1],
    ],
)


def scoped(d: dagger.Client) -> dagger.Changeset:
    old = d.directory().with_directory("assets/public", d.directory())
    new = old.with_new_file("Gemfile", "x").with_directory("assets/public", files(d, foo="1", bar="2"))
    return new.directory("/assets/public").changes(old.directory("/assets/public"))


case(
    "TestChangeset layer is relative to nested scoped path",
    "of a part",
    lambda d: ordered(scoped(d).layer().entries()),
    ["bar", "foo"],
)
case(
    "TestChangeset layer ignores out-of-scope changes when scoped to subdirectory",
    "of a part that didn't change",
    lambda d: (
        d.directory()
        .with_directory("public", d.directory())
        .with_new_file("Gemfile", "x")
        .directory("/public")
        .changes(d.directory().with_directory("public", d.directory()).directory("/public"))
        .layer()
        .entries()
    ),
    [],
)
case(
    "TestChangeset test withChanges can be applied on subdir",
    "applied to a part",
    lambda d: (
        d.directory()
        .with_new_directory("sub")
        .directory("/sub")
        .with_changes(files(d, a="1", b="2").changes(files(d, a="1")))
        .entries()
    ),
    ["b"],
)

# ---- applied, as itself and as its patch

Apply = Callable[[dagger.Directory, dagger.Changeset], dagger.Directory]
_WAYS: tuple[tuple[str, Apply], ...] = (
    ("withChanges", lambda to, what: to.with_changes(what)),
    ("its patch", lambda to, what: to.with_patch_file(what.as_patch())),
)
_BINARY = "\x00\x01\x02 no text \x03"


def moved(d: dagger.Client) -> tuple[dagger.Directory, dagger.Changeset]:
    """A file that is no text, a link, a name that git quotes."""
    old = files(d, kept="k").with_new_file("bin", _BINARY).with_new_file("ä b", "1\n")
    new = files(d, kept="k").with_new_file("sub/new", "n").with_new_file("bin", _BINARY + "x")
    return old, new.with_new_file("ä b", "2\n").with_symlink("kept", "link").changes(old)


for _way, _apply in _WAYS:
    case(
        "TestChangesAsPatch",
        f"{_way}: a new file, a link, a binary one",
        lambda d, apply=_apply: ordered(apply(*moved(d)).glob("**/*")),  # type: ignore[misc]
        ["bin", "kept", "link", "sub/", "sub/new", "ä b"],
    )
    case(
        "TestChangesAsPatch",
        f"{_way}: what a binary file and one with a strange name become",
        lambda d, apply=_apply: each(*(apply(*moved(d)).file(name).contents() for name in ("bin", "ä b"))),  # type: ignore[misc]
        [_BINARY + "x", "2\n"],
    )
    case(
        "TestChangesAsPatch only removed files",
        f"{_way}: a removed file's directory",
        lambda d, apply=_apply: apply(  # type: ignore[misc]
            files(d, "keep", "dir/gone"), files(d, "keep").changes(files(d, "keep", "dir/gone"))
        ).glob("**"),
        ["keep"],
    )
    case(
        "testChangeApplying basic usage",
        f"{_way}: what there is after",
        lambda d, apply=_apply: ordered(apply(before(d), changes(d)).glob("**/*")),  # type: ignore[misc]
        ["added", "dir/", "dir/added", "dir/mod", "fresh/", "fresh/added", "mod", "same"],
    )
    for _path, _text in (("same", "s"), ("mod", "new"), ("added", "a"), ("dir/mod", "new"), ("fresh/added", "y")):
        case(
            "testChangeApplying basic usage",
            f"{_way}: {_path}",
            lambda d, apply=_apply, path=_path: apply(before(d), changes(d)).file(path).contents(),  # type: ignore[misc]
            _text,
        )
    case(
        "testChangeApplying only added files",
        f"{_way}: only added",
        lambda d, apply=_apply: ordered(  # type: ignore[misc]
            apply(files(d, e="1"), files(d, e="1", n="2").changes(files(d, e="1"))).entries()
        ),
        ["e", "n"],
    )
