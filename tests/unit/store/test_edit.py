"""Editing trees: Dagger's semantics of files and directories."""

import os

import pytest

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.host.patterns import Filter
from sealane_engine.store.tree import Tree

root_only = pytest.mark.needs("root")


def copy(store, base, source, dest, path="/", **options):
    with store.edit(base) as edit:
        edit.copy(store.view(source), path, dest, **options)
    return edit.tree


def everything(path, is_dir):
    """A filter that forces the general way of copying."""
    return True


class TestWrite:
    def test_makes_missing_parents(self, make, show):
        assert show(make({"a/b/c": "x"})) == {"/a": "/", "/a/b": "/", "/a/b/c": "x"}

    def test_dots_stop_at_the_root(self, make, show):
        assert show(make({"../../x": "y", "/abs/./z": "1"})) == {"/abs": "/", "/abs/z": "1", "/x": "y"}

    def test_base_stays_as_it_was(self, make, show):
        base = make({"f": "old"})
        assert show(make({"f": "new"}, base)) == {"/f": "new"}
        assert show(base) == {"/f": "old"}

    def test_keeps_the_mode_of_a_file_that_exists(self, store, make):
        with store.edit(Tree()) as edit:
            edit.write("f", b"1", 0o750)
        with store.edit(edit.tree) as edit:
            edit.write("f", b"2", 0o644)
        assert store.view(edit.tree).stat("f").mode == 0o750

    def test_goes_through_a_link(self, make, show):
        assert show(make({"l": "new"}, make({"t": "old", "l": ("t",)}))) == {"/t": "new", "/l": "-> t"}

    def test_a_link_out_of_the_tree_stays_inside(self, make, show):
        tree = make({"out/etc/x": "1"}, make({"out": ("../../..",)}))
        assert show(tree) == {"/out": "-> ../../..", "/etc": "/", "/etc/x": "1"}

    @pytest.mark.parametrize(
        ("path", "reason"), [("d", "is-a-directory"), ("", "is-a-directory"), ("f/x", "not-a-directory")]
    )
    def test_refuses_what_cannot_be_a_file(self, make, path, reason):
        base = make({"d/": None, "f": ""})
        with pytest.raises(InvalidInput) as error:
            make({path: "x"}, base)
        assert error.value.reason == reason

    def test_an_error_leaves_nothing_behind(self, store, make, home):
        with pytest.raises(InvalidInput):
            make({"a": "1", "": "2"})
        assert list((home / "s").iterdir()) == []

    def test_two_writes_in_one_edit_do_not_share_a_file(self, make, show):
        base = make({"a": "1"})
        first = make({"a": "2", "b": "3"}, base)
        assert show(make({"a": "4"}, first)) == {"/a": "4", "/b": "3"}
        assert show(first) == {"/a": "2", "/b": "3"}


class TestMkdir:
    def test_gives_all_new_directories_the_mode(self, store):
        with store.edit(Tree()) as edit:
            edit.mkdir("a/b", 0o700)
        view = store.view(edit.tree)
        assert [view.stat(path).mode for path in ("a", "a/b")] == [0o700, 0o700]

    def test_leaves_one_that_exists(self, store, make):
        base = make({"d/": 0o700})
        with store.edit(base) as edit:
            edit.mkdir("d", 0o755)
        assert edit.tree == base

    def test_refuses_a_file_in_the_way(self, make):
        with pytest.raises(InvalidInput, match="mkdir /p: not a directory"):
            make({"p/": None}, make({"p": "x"}))


class TestRemove:
    def test_hides_what_lies_below(self, make, show):
        base = make({"a": "1", "d/x": "1", "d/y": "1"})
        assert show(make({"a": None, "d/x": None}, base)) == {"/d": "/", "/d/y": "1"}

    def test_a_directory_made_anew_is_empty(self, make, show):
        base = make({"d/x": "1"})
        assert show(make({"d": None, "d/": None, "d/y": "2"}, base)) == {"/d": "/", "/d/y": "2"}

    def test_removes_a_link_and_not_its_target(self, make, show):
        assert show(make({"l": None}, make({"t": "1", "l": ("t",)}))) == {"/t": "1"}

    def test_missing_is_no_change(self, make):
        base = make({"a": "1"})
        assert make({"zzz": None, "q/w": None}, base) == base

    def test_what_this_edit_made_leaves_no_trace(self, make):
        base = make({"x": "1"})
        tree = make({"d/f": "1", "d": None}, base)
        assert tree == base


class TestSymlink:
    def test_refuses_what_exists(self, make):
        with pytest.raises(InvalidInput) as error:
            make({"a": ("b",)}, make({"a": "1"}))
        assert error.value.reason == "exists"


class TestCopyFile:
    @pytest.mark.parametrize(
        ("dest", "lands"),
        [("e", "/e"), ("d/", "/d/src.txt"), ("d", "/d/src.txt"), ("n/m/", "/n/m/src.txt"), ("/", "/src.txt")],
    )
    def test_lands(self, store, make, show, dest, lands):
        tree = copy(store, make({"d/": None}), make({"src.txt": "1"}), dest, "src.txt")
        assert show(tree)[lands] == "1"

    def test_replaces_a_link_instead_of_following_it(self, store, make, show):
        tree = copy(store, make({"t": "old", "l": ("t",)}), make({"f": "new"}), "l", "f")
        assert show(tree) == {"/t": "old", "/l": "new"}

    def test_follows_a_link_in_the_source(self, store, make, show):
        assert show(copy(store, Tree(), make({"t": "1", "l": ("t",)}), "x", "l")) == {"/x": "1"}

    def test_missing(self, store, make):
        with pytest.raises(NotFound, match="stat nope: no such file or directory"):
            copy(store, Tree(), make({"a": "1"}), "x", "nope")

    def test_keeps_mode_and_time_and_shares_the_content(self, store, make):
        source = make({"f": "1"})
        was = store.view(source).stat("f")
        now = store.view(copy(store, Tree(), source, "g", "f")).stat("g")
        assert (now.mode, now.mtime_ns, now.facts.st_ino) == (was.mode, was.mtime_ns, was.facts.st_ino)

    def test_another_mode_is_another_file(self, store, make):
        source = make({"f": "1"})
        copied = store.view(copy(store, Tree(), source, "g", "f", mode=0o400)).stat("g")
        assert copied.mode == 0o400
        assert store.view(source).stat("f").mode == 0o644

    @root_only
    def test_owner(self, store, make):
        source = make({"f": "1"})
        entry = store.view(copy(store, Tree(), source, "g", "f", uid=1000, gid=1001)).stat("g")
        assert (entry.uid, entry.gid) == (1000, 1001)


BASES = {
    "nothing": {},
    "other files": {"x": "b", "d/y": "b", "d/s/z": "b"},
    "a link where the source has a directory": {"real/y": "b", "d": ("real",)},
    "a dangling link": {"d": ("nowhere",)},
    "a file where the source has a directory": {"d": "b"},
    "a directory where the source has a file": {"f/below": "b"},
    "what the source deleted": {"gone": "b", "dir/gone": "b", "f": "b"},
}
SOURCES = {
    "one layer": [{"f": "s", "d/c": "s", "d/s/e": "s"}],
    "a change": [{"f": "s", "d/c": "s"}, {"f": "t"}],
    "a deletion": [{"f": "s", "gone": "s", "dir/gone": "s", "dir/k": "s"}, {"gone": None, "dir/gone": None}],
    "a directory made anew": [{"dir/gone": "s", "f": "s"}, {"dir": None, "dir/new": "s"}],
    "a file that became a directory": [{"d": "s", "f": "s"}, {"d": None, "d/c": "s"}],
    "a directory that became a file": [{"f/q": "s"}, {"f": None}, {"f": "s"}],
    "empty": [{}],
    "links": [{"l": ("f",), "m": ("../../etc",), "d/c": "s"}],
}


class TestCopyDirectory:
    @pytest.mark.parametrize("base", BASES)
    @pytest.mark.parametrize("source", SOURCES)
    @pytest.mark.parametrize("dest", ["/", "/new/place", "/d"])
    def test_stacking_layers_is_the_same_as_merging_entries(self, store, make, show, base, source, dest):
        onto, of = make(BASES[base]), Tree()
        for step in SOURCES[source]:
            of = make(step, of)
        quick, general = (copy(store, onto, of, dest, match=match) for match in (None, everything))
        assert show(quick) == show(general)
        assert store.view(quick).digest() == store.view(general).digest()

    def test_merges(self, store, make, show):
        tree = copy(store, make({"x": "1", "d/y": "1"}), make({"d/z": "2", "x": "2"}), "/")
        assert show(tree) == {"/d": "/", "/d/y": "1", "/d/z": "2", "/x": "2"}

    def test_a_part_of_the_source(self, store, make, show):
        tree = copy(store, Tree(), make({"a/b/f": "1", "a/c": "2"}), "to", "a/b")
        assert show(tree) == {"/to": "/", "/to/f": "1"}

    def test_one_changed_file_costs_one_file(self, store, make, home):
        big = make({f"d{number}/f": str(number) for number in range(50)})
        copy(store, Tree(), big, "/src")
        changed = make({"d7/f": "new"}, big)
        tree = copy(store, make({"base": ""}), changed, "/src")
        top = store.layer_path(tree.layers[-1])
        assert sorted(str(path.relative_to(top)) for path in top.rglob("*")) == ["src", "src/d7", "src/d7/f"]
        again = copy(store, make({"base": ""}), changed, "/src")
        assert again.layers[1:] == tree.layers[1:]

    def test_a_whole_directory_onto_nothing_is_itself(self, store, make):
        source = make({"a": "1"})
        assert copy(store, Tree(), source, "/") == source

    def test_files_whose_digest_is_known_are_not_read_again(self, store, make, monkeypatch):
        source = make({"a": "1", "d/b": "2", "d/c.txt": "3"})
        store.view(source).digest()
        tree = copy(store, make({"base": ""}), source, "/x/src", match=Filter(exclude=["**/*.txt"]))
        expected = make({"base": "", "x/src/a": "1", "x/src/d/b": "2"})
        digest = store.view(expected).digest("/x/src")
        monkeypatch.setattr("sealane_engine.store.digest.hash_file", None)
        assert store.view(tree).digest("/x/src") == digest

    def test_keeps_the_metadata_of_the_directories_above(self, store, make):
        base = make({"top/": 0o700})
        tree = copy(store, base, make({"f": "1"}), "/top/new/src")
        view = store.view(tree)
        assert [view.stat(path).mode for path in ("top", "top/new", "top/new/src")] == [0o700, 0o755, 0o755]

    def test_mode_for_everything(self, store, make):
        view = store.view(copy(store, Tree(), make({"d/f": "1"}), "/m", mode=0o700))
        assert [view.stat(path).mode for path in ("m", "m/d", "m/d/f")] == [0o700] * 3

    @root_only
    def test_owner_for_everything(self, store, make):
        view = store.view(copy(store, Tree(), make({"s/a": "1"}), "/m", uid=1000, gid=1001))
        assert [(e.uid, e.gid) for e in map(view.lstat, ("m", "m/s", "m/s/a"))] == [(1000, 1001)] * 3

    def test_a_file_in_the_way_of_a_parent(self, store, make):
        with pytest.raises(InvalidInput) as error:
            copy(store, make({"f": "1"}), make({"a": "1"}), "/f/x")
        assert error.value.reason == "not-a-directory"

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"include": ["**/*.py"]}, ["a.py", "d/", "d/c.py"]),
            ({"exclude": ["**/*.py"]}, ["b.txt", "d/", "d/e.txt"]),
            ({"include": ["d"], "exclude": ["d/c.py"]}, ["d/", "d/e.txt"]),
            ({"exclude": ["**", "!d/c.py"]}, ["d/", "d/c.py"]),
        ],
    )
    @pytest.mark.parametrize("layers", [1, 2])
    def test_filters(self, store, make, options, expected, layers):
        source = make({"a.py": "", "b.txt": "", "d/c.py": "", "d/e.txt": "", "gone.py": ""} if layers == 2 else {})
        source = make({"a.py": "", "b.txt": "", "d/c.py": "", "d/e.txt": "", "gone.py": None}, source)
        tree = copy(store, Tree(), source, "/", match=Filter(**options))
        assert store.view(tree).glob("**") == expected


class TestMetadata:
    def test_times_of_a_whole_tree(self, store, make):
        base = make({"d/f": "1", "l": ("d",)})
        with store.edit(base) as edit:
            edit.utime("/", 1_700_000_000)
        view = store.view(edit.tree)
        assert {entry.mtime_ns for _, entry in view.walk()} == {1_700_000_000 * 10**9}
        assert store.view(base).stat("d/f").mtime_ns != 1_700_000_000 * 10**9

    @root_only
    def test_owner_of_a_subtree(self, store, make):
        base = make({"d/f": "1", "d/l": ("f",), "x": "1"})
        with store.edit(base) as edit:
            edit.chown("d", 5, 6)
        owners = {path: (entry.uid, entry.gid) for path, entry in store.view(edit.tree).walk()}
        assert owners == {"/d": (5, 6), "/d/f": (5, 6), "/d/l": (5, 6), "/x": (0, 0)}
        assert store.view(base).stat("d/f").uid == 0

    @root_only
    def test_an_owner_outside_the_range(self, store):
        with pytest.raises(InvalidInput) as error, store.edit(Tree()) as edit:
            edit.write("f", b"", uid=70_000)
        assert error.value.reason == "id-out-of-range"


def test_names_that_are_not_utf8(store):
    name = os.fsdecode(b"caf\xe9")
    with store.edit(Tree()) as edit:
        edit.write(name, b"1")
    copied = copy(store, Tree(), edit.tree, "/to")
    assert store.view(copied).listdir("/to") == [name]
    assert store.view(copied).digest("/to/" + name).startswith("sha256:")


def test_flatten_keeps_everything(store, make, show):
    tree = make({"d/": 0o700, "d/x": "1"})
    for number in range(5):
        tree = make({f"f{number}": str(number), "d/x": None if number == 3 else "1"}, tree)
    flat = store.flatten(tree)
    assert len(flat.layers) == 1
    assert show(flat) == show(tree)
    assert store.view(flat).digest() == store.view(tree).digest()
    assert store.flatten(tree) == flat
