"""File: its contents, name, size and times, what is replaced in it, and what is found in it."""

from __future__ import annotations

import dagger

from .table import FAILS, Cases, base, files, sh

CASES = case = Cases("file", "core/integration/file_test.go")
NUMBERS = "".join(f"{number}\n" for number in range(1, 13))


def one(d: dagger.Client, text: str, name: str = "test.txt") -> dagger.File:
    return d.directory().with_new_file(name, text).file(name)


def lines(first: int, last: int) -> str:
    return "".join(f"{number}\n" for number in range(first, last + 1))


# ---- contents

case(
    "TestDigest compute file digest without metadata",
    "a digest of the content alone",
    lambda d: d.directory().with_new_file("/foo.txt", "Hello, World!").file("/foo.txt").digest(exclude_metadata=True),
    "sha256:042a7d64a581ef2ee983f21058801cc35663b705e6c55f62fa8e0f18ecc70989",
)
case("TestFile", "contents", lambda d: one(d, "some-content").contents(), "some-content")
case("TestNewFile", "a file of its own", lambda d: d.file("some-file", "x").contents(), "x")
case("TestNewFileInvalid", "its name is no path", lambda d: d.file("dir/some-file", "x").sync(), FAILS)
case("TestDirectoryFile", "of a part", lambda d: one(d, "x", "d/f").contents(), "x")
case(
    "TestContentsLines",
    "lines from and to",
    lambda d: one(d, NUMBERS).contents(offset_lines=5, limit_lines=5),
    lines(6, 10),
)
case("TestContentsLines", "lines from", lambda d: one(d, NUMBERS).contents(offset_lines=5), lines(6, 12))
case("TestContentsLines", "lines to", lambda d: one(d, NUMBERS).contents(limit_lines=10), lines(1, 10))
case("TestSize", "size", lambda d: one(d, "some-content").size(), 12)
case("TestSync", "sync of what isn't there", lambda d: d.directory().file("baz").sync(), FAILS)
case("TestSync", "sync of what isn't in an image", lambda d: base(d).file("/bar").sync(), FAILS)
case("TestSync", "sync, and on", lambda d: synced(one(d, "bar")), "bar")


async def synced(file: dagger.File) -> str:
    return await (await file.sync()).contents()


# ---- name

case("TestName", "name", lambda d: one(d, "", "/foo/bar").name(), "bar")
case("TestName", "name in an image", lambda d: base(d).file("/etc/os-release").name(), "os-release")
case(
    "TestName",
    "name in an image's directory",
    lambda d: base(d).directory("/etc").file("/os-release").name(),
    "os-release",
)
case("TestName", "name of what isn't there", lambda d: d.directory().file("to/f").name(), FAILS)
case("TestWithName", "another name", lambda d: one(d, "", "/foo/bar").with_name("baz").name(), "baz")
case(
    "TestWithName",
    "another name, the same contents",
    lambda d: d.file("test", "hello").with_name("tset").contents(),
    "hello",
)
case(
    "TestWithName",
    "put in under its new name",
    lambda d: d.directory().with_file("", one(d, "x", "/foo/bar").with_name("baz")).file("baz").contents(),
    "x",
)

# ---- times, owner, digest

case(
    "TestWithTimestamps",
    "times",
    lambda d: sh(base(d).with_mounted_file("/f", one(d, "x").with_timestamps(499162500)), "stat -c %Y /f"),
    "499162500\n",
)
_USER = "groupadd -g 4321 agroup && useradd -u 1234 -g agroup auser"


def with_user(d: dagger.Client) -> dagger.Container:
    return base(d).with_exec(["sh", "-c", _USER])


case(
    "TestChownLookup",
    "chown by name",
    lambda d: sh(
        with_user(d).with_mounted_file(
            "/m", with_user(d).rootfs().with_new_file("o", "").file("o").chown("auser:agroup")
        ),
        "stat -c '%u:%g %U:%G' /m",
    ),
    "1234:4321 auser:agroup\n",
)


async def digests(d: dagger.Client) -> object:
    found = [d.directory().with_new_file("f", "Hello", permissions=mode).file("f") for mode in (0o777, 0o644)]
    one, other = [await each.digest() for each in found]
    first, second = [await each.digest(exclude_metadata=True) for each in found]
    return [one == other, first == second]


case("TestDigest", "the mode counts in a digest, unless it is left out", digests, [False, True])

# ---- replacing

_WORLDS = "line 1: World\nline 2: text\nline 3: World\nline 4: World\nline 5: text"
case(
    "TestWithReplaced",
    "replaced once",
    lambda d: one(d, "Hello, World!").with_replaced("World", "All").contents(),
    "Hello, All!",
)
case(
    "TestWithReplaced",
    "the first from a line on",
    lambda d: one(d, "Hello, World!\nBye, World!\n").with_replaced("World", "All", first_from=1).contents(),
    "Hello, All!\nBye, World!\n",
)
case(
    "TestWithReplaced",
    "the first from line 2 on",
    lambda d: one(d, _WORLDS).with_replaced("World", "All", first_from=2).contents(),
    "line 1: World\nline 2: text\nline 3: All\nline 4: World\nline 5: text",
)
case("TestWithReplaced", "all", lambda d: one(d, "W W\nW").with_replaced("W", "A", all=True).contents(), "A A\nA")
case(
    "TestWithReplaced",
    "over lines",
    lambda d: one(d, "Start\nOld 1\nOld 2\nEnd").with_replaced("Old 1\nOld 2", "New").contents(),
    "Start\nNew\nEnd",
)
case(
    "TestWithReplaced",
    "no pattern, but text",
    lambda d: one(d, "Price: $50.99\nTotal: $100.50").with_replaced("$50.99", "$75.25").contents(),
    "Price: $75.25\nTotal: $100.50",
)
case("TestWithReplaced", "by nothing", lambda d: one(d, "away, keep").with_replaced("away, ", "").contents(), "keep")
case("TestWithReplaced", "nothing to replace", lambda d: one(d, "x").with_replaced("no", "y").contents(), FAILS)
case(
    "TestWithReplaced", "two to replace", lambda d: one(d, "World, World").with_replaced("World", "y").contents(), FAILS
)
case(
    "TestWithReplaced",
    "from a line that isn't there",
    lambda d: one(d, "line 1\nline 2").with_replaced("line", "y", first_from=10).contents(),
    FAILS,
)
case("TestWithReplaced", "the name stays", lambda d: one(d, "x").with_replaced("x", "y").name(), "test.txt")
case(
    "TestWithReplaced",
    "twice",
    lambda d: one(d, "Step 1: a").with_replaced("a", "b").with_replaced("Step 1", "Step 2").contents(),
    "Step 2: b",
)
case("TestWithReplaced", "all of none", lambda d: one(d, "x").with_replaced("no", "y", all=True).contents(), "x")

# ---- as something else, through links

case(
    "TestFileAsJSON",
    "as JSON",
    lambda d: one(d, '{ "somekey": "somevalue" }').as_json().field(["somekey"]).as_string(),
    "somevalue",
)
case(
    "TestFileAsJSON",
    "as JSON, though it is none",
    lambda d: one(d, "no json").as_json().field(["a"]).as_string(),
    FAILS,
)
for _name, _script, _path in (
    ("beside it", "echo -n x > data && ln -s data d", "d"),
    ("below", "mkdir s && echo -n x > s/data && ln -s s/data d", "d"),
    ("above", "mkdir s && echo -n x > data && cd s && ln -s ../data d", "s/d"),
):
    case(
        "TestFileRespectsSymlinks",
        f"a link to a file {_name}",
        lambda d, script=_script, path=_path: (  # type: ignore[misc]
            base(d).with_workdir("/w").with_exec(["sh", "-c", script]).file(path).contents()
        ),
        "x",
    )
case(
    "TestFileRespectsSymlinks",
    "a link out of a part",
    lambda d: (
        base(d)
        .with_workdir("/w")
        .with_exec(["sh", "-c", "mkdir s && echo -n x > data && cd s && ln -s ../data d"])
        .directory("s")
        .file("d")
        .contents()
    ),
    "x",
)

# ---- search

SEARCH = Cases("search", "core/integration/directory_test.go")
case = SEARCH


async def hits(found: object) -> object:
    """Path, line and text of each, in order of their paths."""
    results = await found  # type: ignore[misc]
    return sorted([[await r.file_path(), await r.line_number(), await r.matched_lines()] for r in results])


async def paths(found: object) -> object:
    return sorted({await r.file_path() for r in await found})  # type: ignore[misc]


async def parts(found: object) -> object:
    """What matched in each line, and how long it is."""
    out = []
    for result in await found:  # type: ignore[misc]
        out += [[await part.text(), await part.end() - await part.start()] for part in await result.submatches()]
    return out


def tree(d: dagger.Client) -> dagger.Directory:
    found = d.directory().with_new_file("file1.txt", "Hello, World!\nThis is a --test-- file.\nWorld is great.")
    found = found.with_new_file("file2.txt", "Hello, Dagger!\nThis is another test file.")
    return found.with_new_file("subdir/file3.txt", "Hello from subdirectory!\nWorld tour.")


def code(d: dagger.Client) -> dagger.Directory:
    found = d.directory().with_new_file("src/main.go", "package main\nfunc main() { world }")
    found = found.with_new_file("src/helper.js", "function world() {}").with_new_file("docs/README.md", "Hello world")
    return found.with_new_file("etc/passwd", "root:world passwd").with_symlink("/etc", "link")


_WORLD = [
    ["file1.txt", 1, "Hello, World!\n"],
    ["file1.txt", 3, "World is great."],
    ["subdir/file3.txt", 2, "World tour."],
]
case("TestSearch literal search", "text", lambda d: hits(tree(d).search("World")), _WORLD)
case("TestSearch literal search", "what matched", lambda d: parts(tree(d).search("World")), [["World", 5]] * 3)
case(
    "TestSearch search beginning with hyphen",
    "a hyphen first",
    lambda d: hits(tree(d).search("-test")),
    [["file1.txt", 2, "This is a --test-- file.\n"]],
)
case(
    "TestSearch files-only search",
    "files only",
    lambda d: hits(tree(d).search("World", files_only=True)),
    [["file1.txt", 0, ""], ["subdir/file3.txt", 0, ""]],
)
case("TestSearch limiting results", "a limit", lambda d: count(tree(d).search("e", limit=3)), 3)


async def count(found: object) -> int:
    return len(await found)  # type: ignore[misc]


_GO = 'package main\n\nfunc main() {\n\tname := "Alice"\n\tage := 30\n}\n\nfunc another() {\n\tname := "Alice"\n\tage := 50\n}'
case("TestSearch regex search", "a pattern", lambda d: count(one(d, _GO).search(r"func \w+\(\)")), 2)
_ASSIGNED = [["test.txt", 4, '\tname := "Alice"\n\tage := 30\n'], ["test.txt", 9, '\tname := "Alice"\n\tage := 50\n']]
case(
    "TestSearch multiline search",
    "over lines",
    lambda d: hits(files(d, **{"test.txt": _GO}).search(':= "Alice"\n\tage', multiline=True)),
    _ASSIGNED,
)
case(
    "TestSearch multiline regexp search",
    "a pattern over lines",
    lambda d: hits(files(d, **{"test.txt": _GO}).search(r':= ".*"\n\s+age', multiline=True)),
    _ASSIGNED,
)
case("TestSearch empty directory", "in nothing", lambda d: d.directory().search("anything"), [])
case("TestSearch no matches", "without a match", lambda d: files(d, f="x").search("nope"), [])
case(
    "TestSearch search in subdirectory",
    "in a part",
    lambda d: paths(files(d, "r", **{"sub/f": "here", "sub/deep/f": "here"}).directory("sub").search("here")),
    ["deep/f", "f"],
)
case(
    "TestSearch case sensitive search",
    "the case counts",
    lambda d: hits(files(d, f="Hi\nhi\nHI").search("Hi")),
    [["f", 1, "Hi\n"]],
)
case(
    "TestSearch case insensitive search",
    "no case",
    lambda d: count(files(d, f="Hi\nhi\nHI").search("hi", insensitive=True)),
    3,
)
_HIDDEN = {"v": "target", ".h": "target", "s/.h2": "target"}
case(
    "TestSearch skip hidden files",
    "hidden files, too",
    lambda d: paths(files(d, **_HIDDEN).search("target")),
    [".h", "s/.h2", "v"],
)
case(
    "TestSearch skip hidden files",
    "no hidden files",
    lambda d: paths(files(d, **_HIDDEN).search("target", skip_hidden=True)),
    ["v"],
)
_IGNORED = {"t.txt": "target", "i.log": "target", "build/o": "target", ".rgignore": "*.log\nbuild/"}
case(
    "TestSearch skip ignored files",
    "ignored files, too",
    lambda d: paths(files(d, **_IGNORED).search("target")),
    ["build/o", "i.log", "t.txt"],
)
case(
    "TestSearch skip ignored files",
    "no ignored files",
    lambda d: paths(files(d, **_IGNORED).search("target", skip_ignored=True)),
    ["t.txt"],
)
case("TestSearch globs option", "by a glob", lambda d: paths(code(d).search("world", globs=["*.go"])), ["src/main.go"])
case(
    "TestSearch globs option",
    "by two globs",
    lambda d: paths(code(d).search("world", globs=["*.go", "*.md"])),
    ["docs/README.md", "src/main.go"],
)
case(
    "TestSearch globs option",
    "by a deep glob",
    lambda d: paths(code(d).search("world", globs=["**/*.js"])),
    ["src/helper.js"],
)
case("TestSearch globs option", "a glob without a match", lambda d: code(d).search("world", globs=["*.yaml"]), [])
case(
    "TestSearch paths option",
    "in a path",
    lambda d: paths(code(d).search("world", paths=["src"])),
    ["src/helper.js", "src/main.go"],
)
case(
    "TestSearch paths option",
    "in two paths",
    lambda d: paths(code(d).search("world", paths=["src", "docs"])),
    ["docs/README.md", "src/helper.js", "src/main.go"],
)
case("TestSearch paths option", "in a file", lambda d: count(code(d).search("main", paths=["src/main.go"])), 2)
case(
    "TestSearch paths option",
    "in an absolute path",
    lambda d: paths(code(d).search("world", paths=["/src"])),
    ["src/helper.js", "src/main.go"],
)
case("TestSearch paths option", "in a link", lambda d: count(code(d).search("root", paths=["link"])), 1)
case(
    "TestSearch paths option",
    "in a file behind a link",
    lambda d: count(code(d).search("root", paths=["link/passwd"])),
    1,
)
case(
    "TestSearch paths option",
    "a link stays in its part",
    lambda d: matched(
        d.directory()
        .with_new_file("symlink", "innocent")
        .with_new_file("sub/etc/passwd", "root:world")
        .with_symlink("/etc/passwd", "sub/symlink")
        .directory("sub")
        .search("root", paths=["symlink"])
    ),
    ["root:world"],
)


async def matched(found: object) -> object:
    return [await r.matched_lines() for r in await found]  # type: ignore[misc]


case(
    "TestSearch paths option", "no path leads out", lambda d: code(d).search("world", paths=["../../etc/passwd"]), FAILS
)
case(
    "TestSearch paths option",
    "no path leads out later",
    lambda d: code(d).search("world", paths=["some/../../etc/passwd"]),
    FAILS,
)
case(
    "TestSearch paths option",
    "a path with dots",
    lambda d: count(code(d).search("package main", paths=["/src/../"])),
    1,
)
case(
    "TestSearch combined globs and paths",
    "globs in a path",
    lambda d: paths(code(d).search("world", globs=["*.go"], paths=["src"])),
    ["src/main.go"],
)
case(
    "TestSearch (file_test.go)",
    "in a file alone",
    lambda d: hits(one(d, "a World\nb\nWorld").search("World")),
    [["test.txt", 1, "a World\n"], ["test.txt", 3, "World"]],
)

# ---- exists and stat

STAT = Cases("stat", "core/integration/directory_test.go")
case = STAT


def quotes(d: dagger.Client) -> dagger.Directory:
    return d.directory().with_new_file("q/d", "Cogito").with_symlink("q/d", "i-am").with_symlink("q/no", "nothing")


_DIR, _REGULAR, _LINK = dagger.ExistsType.DIRECTORY_TYPE, dagger.ExistsType.REGULAR_TYPE, dagger.ExistsType.SYMLINK_TYPE
for _path, _type, _no_follow, _answer in (
    ("We believe in nothing", None, False, False),
    ("q", None, False, True),
    ("q", _DIR, False, True),
    ("q/d", _DIR, False, False),
    ("q/d", _REGULAR, False, True),
    ("q", _REGULAR, False, False),
    ("i-am", _LINK, False, True),
    ("q/d", _LINK, False, False),
    ("i-am", _REGULAR, False, True),
    ("nothing", None, True, True),
    ("i-am", _REGULAR, True, False),
):
    case(
        "TestExists",
        f"exists {_path} as {_type and _type.value}{' itself' if _no_follow else ''}",
        lambda d, p=_path, t=_type, n=_no_follow: quotes(d).exists(p, expected_type=t, do_not_follow_symlinks=n),  # type: ignore[misc]
        _answer,
    )
case(
    "TestExistsUsingAbsoluteSymlink",
    "behind an absolute link",
    lambda d: files(d, f="x").with_symlink("/f", "/l").exists("l", expected_type=_REGULAR),
    True,
)


async def stat(found: dagger.Stat) -> object:
    return [await found.name(), await found.file_type(), oct(await found.permissions())]


case(
    "TestStat",
    "of a file",
    lambda d: stat(d.directory().with_new_file("f", "data", permissions=0o444).stat("f")),
    ["f", dagger.FileType.REGULAR_TYPE, "0o444"],
)
case("TestStat", "size of a file", lambda d: d.directory().with_new_file("f", "data").stat("f").size(), 4)
case(
    "TestStat",
    "of a directory",
    lambda d: stat(d.directory().with_new_directory("d", permissions=0o750).stat("d")),
    ["d", dagger.FileType.DIRECTORY_TYPE, "0o750"],
)
case("TestStat", "without a path", lambda d: d.directory().stat("").name(), FAILS)
