"""Client directories: what comes in, and what a second scan costs."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.host import read, scan
from sealane_engine.host.scan import MAX_DELTAS, scan_file_now, scan_now


def paths(store, tree):
    return store.view(tree).glob("**")


def new_files(store, tree):
    """What the top layer of a tree holds."""
    top = store.layer_path(tree.layers[-1])
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


@pytest.fixture
def reads(monkeypatch):
    """The host files that are read."""
    seen = []

    def note(path, scratch):
        seen.append(Path(path).name)
        return read.read_file(path, scratch)

    monkeypatch.setattr(scan, "read_file", note)
    return seen


@pytest.fixture
def settle(monkeypatch):
    """As if all files were old when a scan starts."""
    monkeypatch.setattr(read, "_TICK", -(10**12))
    monkeypatch.setattr(read, "_COARSE_TICK", -(10**12))


FILES = {"a.py": "1", "b.txt": "2", "d/c.py": "3", "d/e.txt": "4", ".git/config": "5", "node_modules/x.js": "6"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {},
            [".git/", ".git/config", "a.py", "b.txt", "d/", "d/c.py", "d/e.txt", "node_modules/", "node_modules/x.js"],
        ),
        ({"exclude": [".git", "node_modules", "**/*.txt"]}, ["a.py", "d/", "d/c.py"]),
        ({"include": ["**/*.py"]}, ["a.py", "d/", "d/c.py"]),
        ({"exclude": ["**", "!d/c.py"]}, ["d/", "d/c.py"]),
    ],
)
def test_filters(store, host, options, expected):
    tree, _ = scan_now(store, host(FILES), **options)
    assert paths(store, tree) == expected


def test_gitignore_of_the_directories_above_in_a_repository(store, host):
    root = host(
        {".git/": "", ".gitignore": "*.log\n/out/\n!sub/keep.log\n", "sub/a.log": "", "sub/keep.log": "", "sub/b": "",
         "out/x": "", "sub/deep/c.log": "", "sub/deep/d": ""}
    )  # fmt: skip
    tree, _ = scan_now(store, root / "sub", gitignore=True)
    assert paths(store, tree) == ["b", "deep/", "deep/d", "keep.log"]
    with pytest.raises(NotFound) as caught:
        scan_now(store, root / "out", gitignore=True)
    assert caught.value.reason == "ignored"
    host({".gitignore": "b\n"})
    tree, _ = scan_now(store, root / "sub", gitignore=True)
    assert paths(store, tree) == ["a.log", "deep/", "deep/c.log", "deep/d", "keep.log"]


def test_gitignore(store, host):
    root = host(
        {
            ".git/": None,
            ".gitignore": "*.log\n/build/\n!keep.log\n",
            "a.log": "",
            "keep.log": "",
            "build/x": "",
            "src/b.log": "",
            "src/build/y": "",
            "sub/.gitignore": "y",
            "sub/y": "",
        }
    )
    tree, _ = scan_now(store, root, gitignore=True)
    expected = [".git/", ".gitignore", "keep.log", "src/", "src/build/", "src/build/y", "sub/", "sub/.gitignore"]
    assert paths(store, tree) == expected


def test_excluded_directories_are_not_even_listed(store, host):
    root = host({"keep": "1", "node_modules/x": "1"})
    (root / "node_modules").chmod(0)
    try:
        tree, _ = scan_now(store, root, exclude=["node_modules"])
    finally:
        (root / "node_modules").chmod(0o755)
    assert paths(store, tree) == ["keep"]


def test_modes_times_links_and_owner(store, host):
    root = host({"x": "1", "l": ("x",), "out": ("/etc/passwd",), "d/": None})
    (root / "x").chmod(0o750)
    (root / "d").chmod(0o700)
    os.utime(root / "x", (5, 5))
    view = store.view(scan_now(store, root)[0])
    x = view.stat("x")
    assert (x.mode, x.uid, x.gid, x.mtime_ns) == (0o750, 0, 0, 5 * 10**9)
    assert (view.stat("d").mode, view.readlink("l"), view.readlink("out")) == (0o700, "x", "/etc/passwd")


def test_the_content_key_is_the_tree_s(store, host):
    root = host({**FILES, "l": ("d",)})
    for change in ({}, {"a.py": "new"}, {"d/c.py": None}, {"z/y/x": "1"}):
        tree, digest = scan_now(store, host(change))
        with store._index.write() as db:
            db.execute("DELETE FROM memos WHERE place IN ('dirs', 'files')")
        assert digest == store.view(tree).digest()
    assert root.exists()


def test_nothing_changed_reads_nothing_and_makes_nothing(store, host, reads, settle):
    root = host(FILES)
    first = scan_now(store, root)
    reads.clear()
    assert scan_now(store, root) == first
    assert reads == []


def test_one_changed_file_is_one_file(store, host, reads, settle):
    scan_now(store, host(FILES))
    reads.clear()
    tree, _ = scan_now(store, host({"d/c.py": "changed"}))
    assert (reads, new_files(store, tree)) == (["c.py"], ["d", "d/c.py"])


def test_a_touched_file_is_read_and_not_stored(store, host, reads, settle):
    root = host(FILES)
    first = scan_now(store, root)
    os.utime(root / "a.py", (7, 7))
    reads.clear()
    assert scan_now(store, root) == first
    assert reads == ["a.py"]
    assert scan_now(store, root) == first
    assert reads == ["a.py"]


def test_a_fresh_file_is_not_trusted(store, host, monkeypatch):
    """Two changes within one tick of the file system's clock have the same stamp."""
    monkeypatch.setattr(read, "_TICK", 10**12)
    root = host({"f": "one"})
    scan_now(store, root)
    facts = (root / "f").stat()
    (root / "f").write_text("two")
    os.utime(root / "f", ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    monkeypatch.setattr(read, "signature", lambda facts: "same")
    monkeypatch.setattr(scan, "signature", lambda facts: "same")
    tree, _ = scan_now(store, root)
    assert store.view(tree).read("f") == b"two"


CHANGES = {
    "a file is gone": ({"a/x": "1", "a/y": "1"}, ["a/x"], {}),
    "a directory is gone": ({"a/b/x": "1", "c": "1"}, ["a"], {}),
    "the last file of a directory is gone": ({"a/x": "1"}, ["a/x"], {}),
    "a file became a directory": ({"a": "1"}, ["a"], {"a/x": "2"}),
    "a directory became a file": ({"a/x": "1"}, ["a"], {"a": "2"}),
    "a directory became a link": ({"a/x": "1", "t/x": "2"}, ["a"], {"a": ("t",)}),
    "a directory was made anew": ({"a/x": "1", "a/y": "1"}, ["a"], {"a/z": "1"}),
    "everything is gone": ({"a/x": "1", "b": "1"}, ["a", "b"], {}),
    "a link changed": ({"l": ("x",)}, ["l"], {"l": ("y",)}),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("options", [{}, {"include": ["**/x", "a", "l"]}])
def test_a_second_scan_sees_what_a_first_would(store, host, name, options):
    before, gone, after = CHANGES[name]
    root = host(before)
    scan_now(store, root, **options)
    for path in gone:
        shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()
    host(after)
    second, digest = scan_now(store, root, **options)
    store.forget("scan:")
    first, expected = scan_now(store, root, **options)
    assert (paths(store, second), digest) == (paths(store, first), expected)


def test_many_changes_do_not_make_the_tree_deep(store, host):
    for number in range(MAX_DELTAS * 2):
        tree, digest = scan_now(store, host({"f": str(number), "g": "same"}))
        assert len(tree.layers) <= MAX_DELTAS
    assert store.view(tree).digest() == digest
    assert store.view(tree).read("f") == str(MAX_DELTAS * 2 - 1).encode()


def test_a_pruned_store_is_filled_again(store, host, tmp_path):
    root = host(FILES)
    first = scan_now(store, root)
    store.forget("")
    second = scan_now(store, root)
    assert second[1] == first[1]
    assert second[0] != first[0]


def test_odd_things_on_the_host(store, host):
    root = host({"f": "1"})
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        (root / os.fsdecode(b"caf\xe9")).write_text("latin")
        (root / "F").write_text("case")
        tree, _ = scan_now(store, root)
    assert store.view(tree).listdir("/") == ["F", os.fsdecode(b"caf\xe9"), "f"]


def test_a_large_file(store, host):
    root = host({"big": "x" * (3 << 20)})
    tree, _ = scan_now(store, root)
    assert len(store.view(tree).read("big")) == 3 << 20
    again, _ = scan_now(store, host({"big": "y" * (3 << 20)}))
    assert store.view(again).read("big")[:1] == b"y"


def test_a_file_that_changes_while_it_is_read(store, host, monkeypatch):
    root = host({"log": "1"})
    turns = iter(range(1_000_000))
    monkeypatch.setattr(read, "signature", lambda facts: str(next(turns)))
    with pytest.raises(InvalidInput) as error:
        scan_now(store, root)
    assert (error.value.reason, str(root / "log") in error.value.message) == ("host-file-changing", True)
    assert list((store.home / "s").iterdir()) == []


def test_what_may_not_be_read_is_named(store, host, monkeypatch):
    def refuse(path, *arguments, **options):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return genuine(path, *arguments, **options)

    root = host({"a": "1", "secret": "1"})
    genuine = os.open
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InvalidInput, match="secret: permission denied: make it readable") as error:
        scan_now(store, root)
    assert error.value.reason == "host-unreadable"


def test_missing(store, tmp_path):
    with pytest.raises(NotFound, match="no such file or directory"):
        scan_now(store, tmp_path / "nope")
    with pytest.raises(NotFound, match="no such file or directory"):
        scan_file_now(store, tmp_path / "nope")


def test_a_file_is_no_directory(store, host):
    with pytest.raises(InvalidInput) as error:
        scan_now(store, host({"f": ""}) / "f")
    assert error.value.reason == "not-a-directory"


class TestFile:
    def test_alone_in_a_tree(self, store, host):
        root = host({"f": "data"})
        (root / "f").chmod(0o640)
        tree, path, digest = scan_file_now(store, root / "f")
        view = store.view(tree)
        assert (path, view.read(path), view.stat(path).mode, view.digest()) == ("/f", b"data", 0o640, digest)

    def test_again_costs_nothing(self, store, host, settle):
        root = host({"f": "data"})
        assert scan_file_now(store, root / "f") == scan_file_now(store, root / "f")

    def test_changed(self, store, host):
        root = host({"f": "data"})
        first = scan_file_now(store, root / "f")
        second = scan_file_now(store, host({"f": "other"}) / "f")
        assert first[2] != second[2]
        assert store.view(second[0]).read("f") == b"other"

    def test_behind_a_link(self, store, host):
        root = host({"f": "data", "l": ("f",)})
        tree, path, _ = scan_file_now(store, root / "l")
        assert (path, store.view(tree).read(path)) == ("/l", b"data")
