"""Directory: what is in it, what is put in and taken out, and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .table import FAILS, Cases, base, files, ordered, sh, there

if TYPE_CHECKING:
    import dagger

CASES = case = Cases("directory", "core/integration/directory_test.go")


def three(d: dagger.Client) -> dagger.Directory:
    return files(d, "a.txt", "b.txt", "c.txt.rar", "subdir/d.txt", "subdir/e.txt", "subdir/f.txt.rar")


def up(d: dagger.Client) -> dagger.Directory:
    found = files(d, "root.txt", "a/target.txt", "a/b/other.txt", "a/b/c/d/e/f/leaf.txt")
    return found.with_new_file("a/somedir/hi.txt", "hi")


# ---- listing

case("TestEmpty", "an empty one has no entries", lambda d: d.directory().entries(), [])
case("TestWithNewFile", "a new file", lambda d: files(d, "some-file").entries(), ["some-file"])
case("TestEntries", "directories end with a slash", lambda d: ordered(files(d, "f", "d/s").entries()), ["d/", "f"])
case("TestEntriesOfPath", "entries of a path", lambda d: files(d, "f", "d/s").entries(path="d"), ["s"])
case("TestDirectory", "entries of a part", lambda d: files(d, "f", "d/s").directory("d").entries(), ["s"])
case(
    "TestDirectoryWithNewFile",
    "a part is extended",
    lambda d: ordered(files(d, "f", "d/s").directory("d").with_new_file("t", "").entries()),
    ["s", "t"],
)
case("TestSync", "sync of an empty one", lambda d: there(d.directory().sync()), True)
case("TestSync", "sync of a part that isn't there", lambda d: d.directory().directory("/foo").sync(), FAILS)
case("TestSync", "sync of a part of an image that isn't there", lambda d: base(d).directory("/bar").sync(), FAILS)
case("TestScratch", "an empty container has a root", lambda d: there(d.container().directory("/").entries()), True)
case("TestDirectoryName", "name of the root", lambda d: d.directory().name(), "/")
case("TestDirectoryName", "name of a part", lambda d: files(d, "n/f").directory("n").name(), "n/")
case("TestDirectoryName", "name of a deep part", lambda d: files(d, "v/n/f").directory("v/n").name(), "n/")
case("TestDirectoryName", "name of what isn't there", lambda d: d.directory().directory("foo").name(), FAILS)
for _name, _start, _found in (
    ("other.txt", "a/b", "a/b/other.txt"),
    ("target.txt", "a/b", "a/target.txt"),
    ("root.txt", "a/b", "root.txt"),
    ("somedir", "a/b", "a/somedir"),
):
    case(
        "TestFindUp",
        f"find up {_name}",
        lambda d, name=_name, start=_start: up(d).find_up(name, start),  # type: ignore[misc]
        _found,
    )
case("TestFindUp", "find up doesn't look below", lambda d: empty(up(d).find_up("leaf.txt", "a/b")), True)
case("TestFindUp", "find up of what isn't there", lambda d: empty(up(d).find_up("nope.txt", "a/b")), True)


async def empty(asked: object) -> bool:
    return not await asked  # type: ignore[misc]


# ---- filters: the same rules for filter and withDirectory

for _what, _options, _left in (
    ("exclude", {"exclude": ["*.rar"]}, ["a.txt", "b.txt", "subdir/"]),
    ("include", {"include": ["*.rar"]}, ["c.txt.rar"]),
    ("exclude overrides include", {"include": ["*.txt"], "exclude": ["b.txt"]}, ["a.txt"]),
    ("include doesn't override exclude", {"include": ["a.txt"], "exclude": ["*.txt"]}, []),
    ("exclude of a directory", {"exclude": ["subdir"]}, ["a.txt", "b.txt", "c.txt.rar"]),
):
    case(
        "TestDirectoryFilterIncludeExclude",
        f"filter: {_what}",
        lambda d, options=_options: three(d).filter(**options).entries(),  # type: ignore[misc]
        _left,
    )
    case(
        "TestWithDirectoryIncludeExclude",
        f"with directory: {_what}",
        lambda d, options=_options: d.directory().with_directory(".", three(d), **options).entries(),  # type: ignore[misc]
        _left,
    )
case(
    "TestDirectoryFilterIncludeExclude",
    "filter of a part",
    lambda d: three(d).directory("subdir").filter(exclude=["*.rar"]).entries(),
    ["d.txt", "e.txt"],
)
case(
    "TestDirectoryFilterIncludeExclude",
    "filter by .gitignore",
    lambda d: three(d).with_new_file(".gitignore", "b.txt\nsubdir/\n").filter(gitignore=True).entries(),
    [".gitignore", "a.txt", "c.txt.rar"],
)
case(
    "TestWithDirectoryIncludeExclude",
    "with directory: a part's filter",
    lambda d: d.directory().with_directory(".", three(d).directory("subdir"), exclude=["*.rar"]).entries(),
    ["d.txt", "e.txt"],
)
case(
    "TestWithDirectoryIncludeExclude",
    "with directory: .gitignore",
    lambda d: (
        d.directory()
        .with_directory(".", three(d).with_new_file(".gitignore", "b.txt\nsubdir/\n"), gitignore=True)
        .entries()
    ),
    [".gitignore", "a.txt", "c.txt.rar"],
)

# ---- putting in

case(
    "TestWithDirectory",
    "into a new path",
    lambda d: d.directory().with_directory("w", files(d, "f", "d/s").directory("d")).entries(path="w"),
    ["s"],
)
case(
    "TestWithDirectory",
    "into a deep path",
    lambda d: d.directory().with_directory("a/b/w", files(d, "d/s").directory("d")).entries(path="a/b/w"),
    ["s"],
)
case("TestWithDirectory", "contents to .", lambda d: d.directory().with_directory(".", files(d, "s")).entries(), ["s"])
case(
    "TestWithDirectory",
    "nothing into nothing",
    lambda d: there(d.directory().with_directory("/", d.directory()).sync()),
    True,
)
case(
    "TestWithDirectory",
    "permissions are kept",
    lambda d: sh(
        base(d).with_directory(
            "/p",
            d.directory()
            .with_new_file("f", "", permissions=0o444)
            .with_new_directory("d", permissions=0o444)
            .with_new_file("d/s", "", permissions=0o444),
        ),
        "stat -c %A /p /p/f /p/d /p/d/s",
    ),
    "drwxr-xr-x\n-r--r--r--\ndr--r--r--\n-r--r--r--\n",
)


def layered(d: dagger.Client) -> dagger.Directory:
    return (
        files(d, keep="base", conflict="base")
        .with_directory("/", files(d, a="a", conflict="a", skip="skip"), exclude=["skip"])
        .with_directory("nested", files(d, b="b"))
        .with_directory("/", files(d, c="c", conflict="c"))
    )


for _path, _text in (("keep", "base"), ("a", "a"), ("nested/b", "b"), ("c", "c"), ("conflict", "c")):
    case("TestWithDirectory", f"layers: {_path}", lambda d, path=_path: layered(d).file(path).contents(), _text)  # type: ignore[misc]
case("TestWithDirectory", "layers: what was left out", lambda d: layered(d).file("skip").contents(), FAILS)
case(
    "TestWithDirectoryPermissionsOverride",
    "permissions for all",
    lambda d: sh(
        base(d).with_directory(
            "/",
            d.directory().with_directory(
                "out",
                d.directory()
                .with_new_directory("nested", permissions=0o700)
                .with_new_file("nested/f", "", permissions=0o600)
                .with_new_file("r", "", permissions=0o640),
                permissions=0o751,
            ),
        ),
        "stat -c %a /out /out/nested /out/nested/f /out/r",
    ),
    "751\n751\n751\n751\n",
)
case(
    "TestWithNewDirectory",
    "new directories",
    lambda d: d.directory().with_new_directory("a").with_new_directory("b/c").entries(),
    ["a/", "b/"],
)
case(
    "TestWithNewDirectory",
    "a new directory's parents",
    lambda d: d.directory().with_new_directory("b/c").entries(path="b"),
    ["c/"],
)
case(
    "TestWithNewDirectory",
    "no new directory outside",
    lambda d: d.directory().with_new_directory("b").directory("b").with_new_directory("../c").sync(),
    FAILS,
)
case(
    "(changeset_test.go TestChangeset: topLevelDir)",
    "what is above a part",
    lambda d: d.directory().with_new_directory("b").directory("b").with_new_file("f", "").directory("..").entries(),
    ["b/"],
)
case(
    "(core/directory.go path.Join)",
    "nothing above the top",
    lambda d: d.directory().with_new_file("f", "").directory("../..").entries(),
    ["f"],
)
case(
    "TestWithFile",
    "under another name",
    lambda d: d.directory().with_file("t", files(d, f="x").file("f")).file("t").contents(),
    "x",
)
case(
    "TestWithFile",
    "no more than the file",
    lambda d: d.directory().with_file("f", files(d, "f", "g").file("f")).file("g").contents(),
    FAILS,
)
case(
    "TestWithFile",
    "into a part",
    lambda d: d.directory().with_file("s/t", files(d, f="x").file("f")).file("s/t").contents(),
    "x",
)
case(
    "TestWithFile",
    "a part stays one",
    lambda d: (
        files(d, "other", "d/x").directory("/d").with_file("f", files(d, f="x").file("f")).file("other").contents()
    ),
    FAILS,
)
for _to in (".", "", "/"):
    case(
        "TestWithFile",
        f"to {_to!r} under its own name",
        lambda d, to=_to: d.directory().with_file(to, files(d, f="x").file("f")).entries(),  # type: ignore[misc]
        ["f"],
    )
case(
    "TestWithFile",
    "its directories' names don't count",
    lambda d: d.directory().with_file("", files(d, "sub/sub/f").file("sub/sub/f")).entries(),
    ["f"],
)
case(
    "TestWithNewFileExceedingLength",
    "a name of 256 bytes",
    lambda d: d.directory().with_new_file("x" * 256, "").sync(),
    FAILS,
)
case(
    "TestFallbackMerge",
    "a part at its own path is still the part",
    lambda d: d.directory().with_directory("/dir", files(d, "toplevel", "dir/low").directory("/dir")).glob("**/*"),
    ["dir/", "dir/low"],
)

# ---- taking out

_TREE = (
    "foo.txt",
    "a/bar.txt",
    "b/foo.txt",
    "b/bar.txt",
    "b/data.json",
    "c/a1.txt",
    "c/a1.json",
    "c/b1.txt",
    "c/b1.json",
)
case(
    "TestWithoutPaths",
    "without a directory",
    lambda d: files(d, *_TREE).without_directory("a").entries(),
    ["b/", "c/", "foo.txt"],
)
case(
    "TestWithoutPaths",
    "without one that isn't there",
    lambda d: files(d, "f", "d/s").without_directory("no").entries(),
    ["d/", "f"],
)
case(
    "TestWithoutPaths",
    "without files by pattern",
    lambda d: files(d, *_TREE).without_file("b/*.txt").entries(path="b"),
    ["data.json"],
)
case(
    "TestWithoutPaths",
    "a pattern inside a name",
    lambda d: files(d, *_TREE).without_file("c/*a1*").entries(path="c"),
    ["b1.json", "b1.txt"],
)
case(
    "TestWithoutPaths",
    "directories by pattern",
    lambda d: files(d, "f", "a1/x", "a2/x", "b1/x").without_directory("a*").entries(),
    ["b1/", "f"],
)
case("TestWithoutPaths", "without a file", lambda d: files(d, "f", "d/s").without_file("f").entries(), ["d/"])
case(
    "TestWithoutPaths", "without files", lambda d: files(d, "f", "g", "d/s").without_files(["f", "g"]).entries(), ["d/"]
)
case(
    "TestWithoutPaths",
    "without a file of a part",
    lambda d: files(d, "s/f", "s/g").directory("s").without_file("f").entries(),
    ["g"],
)

# ---- differences

case("TestDiff", "to another", lambda d: files(d, a="a").diff(files(d, b="b")).entries(), ["b"])
case("TestDiff", "from nothing", lambda d: d.directory().diff(files(d, "f")).entries(), ["f"])
case("TestDiff", "of a copy", lambda d: three(d).diff(d.directory().with_directory("", three(d))).entries(), [])
case(
    "TestDiff",
    "of two parts",
    lambda d: parts(d).directory("sub").diff(parts(d).directory("submarine")).entries(),
    ["file2"],
)


def parts(d: dagger.Client) -> dagger.Directory:
    found = d.directory().with_new_directory("sub").with_new_directory("submarine").with_new_file("sub/file1", "data1")
    return found.with_new_file("submarine/file1", "data1").with_new_file("submarine/file2", "data2").with_timestamps(0)


# ---- glob


def globbed(d: dagger.Client) -> dagger.Directory:
    return files(
        d, "main.go", "test.md", "README.txt", "subdir/foo.txt", "subdir/README.md", "subdir2/TESTING.md",
        "subdir/subsubdir/JS.md", "subdir/subsubdir/index.mts",
    ).with_new_directory("subdir2/subsubdir")  # fmt: skip


_GLOBS: tuple[tuple[str, list[str]], ...] = (
    ("*.md", ["test.md"]),
    ("**/*.md", ["subdir/README.md", "subdir/subsubdir/JS.md", "subdir2/TESTING.md", "test.md"]),
    ("subdir/**/*.md", ["subdir/README.md", "subdir/subsubdir/JS.md"]),
    (
        "**/*",
        [
            "README.txt", "main.go", "subdir/", "subdir/README.md", "subdir/foo.txt", "subdir/subsubdir/",
            "subdir/subsubdir/JS.md", "subdir/subsubdir/index.mts", "subdir2/", "subdir2/TESTING.md",
            "subdir2/subsubdir/", "test.md",
        ],
    ),
)  # fmt: skip
for _pattern, _found in _GLOBS:  # type: ignore[assignment]
    case("TestGlob", f"glob {_pattern}", lambda d, p=_pattern: ordered(globbed(d).glob(p)), _found)  # type: ignore[misc]
    case(
        "TestGlob",
        f"glob {_pattern} of a part",
        lambda d, p=_pattern: ordered(
            d.directory().with_directory("/foo/bar", globbed(d)).directory("/foo/bar").glob(p)
        ),  # type: ignore[misc]
        _found,
    )
case(
    "TestGlob",
    "directories match, too",
    lambda d: ordered(
        files(d, "foo/bar.md/w.md", "foo/bar.md/x.go", "foo/baz.go/y.md", "foo/baz.go/z.go").glob("**/*.md")
    ),
    ["foo/bar.md/", "foo/bar.md/w.md", "foo/baz.go/y.md"],
)
case("TestGlob", "glob in an empty part", lambda d: d.directory().with_new_directory("foo").glob("**/*.md"), [])
case("TestGlob", "glob in nothing", lambda d: d.directory().glob("**/*"), [])
case("TestGlob", "glob in what isn't there", lambda d: d.directory().directory("foo").glob("**/*"), FAILS)

# ---- digests, owners, times

case(
    "TestDigest",
    "the same contents, the same digest",
    lambda d: same(files(d, "a/f").directory("a").digest(), files(d, "b/f").directory("b").digest()),
    True,
)
case(
    "TestDigest",
    "another mode, another digest",
    lambda d: same(moded(d, 0o777).digest(), moded(d, 0o644).digest()),
    False,
)
case(
    "TestChown",
    "chown by number",
    lambda d: there(d.directory().with_new_directory("dir").chown("dir", "555:556").sync()),
    True,
)


async def same(one: object, other: object) -> bool:
    return bool(await one == await other)  # type: ignore[misc]


def moded(d: dagger.Client, mode: int) -> dagger.File:
    return d.directory().with_new_file("f", "x", permissions=mode).file("f")


_USER = "groupadd -g 4321 agroup && useradd -u 1234 -g agroup auser"


def with_user(d: dagger.Client) -> dagger.Container:
    return base(d).with_exec(["sh", "-c", _USER])


case(
    "TestChownLookup",
    "chown by name",
    lambda d: sh(
        with_user(d).with_mounted_directory(
            "/mnt",
            with_user(d).rootfs().with_new_file("dir/f", "").chown("dir", "auser:agroup").directory("dir"),
        ),
        "stat -c '%u:%g %U:%G' /mnt/f",
    ),
    "1234:4321 auser:agroup\n",
)
case(
    "TestWithTimestamps",
    "times, recursively",
    lambda d: sh(
        base(d).with_mounted_directory("/dir", files(d, "f", "d/s").with_timestamps(499162500)),
        "stat -c %Y /dir/f /dir/d /dir/d/s",
    ),
    "499162500\n" * 3,
)
