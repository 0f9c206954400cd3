"""Reading trees without mounting them."""

import pytest

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.store.disk import set_opaque, whiteout
from sealane_engine.store.tree import Tree


@pytest.fixture
def layer(store):
    """layer({"a": "text", "d/": None, "w": WHITEOUT, "o/": OPAQUE}): a layer exactly like this."""

    def layer(entries):
        staging = store.staging()
        for path, what in entries.items():
            place = staging.fs / path.rstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if path.endswith("/"):
                place.mkdir(exist_ok=True)
                if what == "opaque":
                    set_opaque(str(place))
            elif what == "whiteout":
                whiteout(str(place))
            else:
                place.write_text(what)
        return store.commit(staging)

    return layer


MERGES = {
    "upper wins": ([{"a": "1"}, {"a": "2"}], {"/a": "2"}),
    "directories merge": ([{"d/a": "1"}, {"d/b": "2"}], {"/d": "/", "/d/a": "1", "/d/b": "2"}),
    "whiteout hides a file": ([{"a": "1", "b": "1"}, {"a": "whiteout"}], {"/b": "1"}),
    "whiteout hides a directory": ([{"d/a": "1"}, {"d": "whiteout"}], {}),
    "whiteout of nothing": ([{"a": "whiteout"}], {}),
    "again above a whiteout": ([{"d/a": "1"}, {"d": "whiteout"}, {"d/b": "2"}], {"/d": "/", "/d/b": "2"}),
    "opaque hides what is below": ([{"d/a": "1"}, {"d/": "opaque", "d/b": "2"}], {"/d": "/", "/d/b": "2"}),
    "opaque in the middle": (
        [{"d/a": "1"}, {"d/": "opaque", "d/b": "2"}, {"d/c": "3"}],
        {"/d": "/", "/d/b": "2", "/d/c": "3"},
    ),
    "file over directory": ([{"d/a": "1"}, {"d": "f"}], {"/d": "f"}),
    "directory over file over directory": ([{"d/a": "1"}, {"d": "f"}, {"d/b": "2"}], {"/d": "/", "/d/b": "2"}),
    "opaque above nothing": ([{"d/": "opaque", "d/a": "1"}], {"/d": "/", "/d/a": "1"}),
}


@pytest.mark.parametrize("name", MERGES)
def test_merges_as_overlayfs(layer, show, name):
    layers, expected = MERGES[name]
    assert show(Tree(tuple(layer(each) for each in layers))) == expected


class TestLinks:
    @pytest.fixture
    def view(self, store, make):
        return store.view(
            make(
                {
                    "d/f": "1",
                    "to-d": ("d",),
                    "to-f": ("to-d/f",),
                    "abs": ("/d/f",),
                    "host": ("/etc/passwd",),
                    "up": ("../../../..",),
                    "loop": ("loop",),
                    "dangling": ("no/such",),
                }
            )
        )

    def test_are_followed_inside(self, view):
        assert [view.read(path) for path in ("to-d/f", "to-f", "abs", "up/d/f")] == [b"1"] * 4

    def test_never_lead_to_the_host(self, view):
        assert view.stat("host") is None
        with pytest.raises(NotFound, match="open host: no such file or directory"):
            view.open("host")

    def test_climb_no_higher_than_the_root(self, view):
        assert view.listdir("up") == view.listdir("/")

    def test_resolve_keeps_what_does_not_exist(self, view):
        assert view.resolve("to-d/new/x") == "/d/new/x"
        assert view.resolve("dangling") == "/no/such"

    def test_loops_are_an_error(self, view):
        with pytest.raises(InvalidInput) as error:
            view.stat("loop")
        assert error.value.reason == "link-loop"

    def test_lstat_does_not_follow_the_last(self, view):
        assert view.lstat("to-f").kind == "symlink"
        assert view.lstat("to-d/f").kind == "file"


class TestErrors:
    def test_listing_a_file(self, store, make):
        with pytest.raises(InvalidInput) as error:
            store.view(make({"f": ""})).listdir("f")
        assert error.value.reason == "not-a-directory"

    def test_listing_nothing(self, store, make):
        with pytest.raises(NotFound):
            store.view(make({"f": ""})).listdir("nope")

    def test_reading_a_directory(self, store, make):
        with pytest.raises(InvalidInput) as error:
            store.view(make({"d/": None})).open("d")
        assert error.value.reason == "is-a-directory"


def test_an_empty_tree(store):
    view = store.view(Tree())
    assert (view.listdir("/"), view.stat("/").kind, view.subtree("/"), view.stat("x")) == ([], "dir", (), None)
    assert view.digest() == view.digest()


def test_subtree_names_the_directories_to_mount(store, make):
    low = make({"d/a": "1"})
    top = make({"d/b": "2"}, low)
    assert store.view(top).subtree("d") == tuple(f"l/{layer}/d" for layer in top.layers)
    new = make({"d": None, "d/": None, "d/c": "3"}, top)
    assert store.view(new).subtree("d") == (f"l/{new.layers[-1]}/d",)


GLOBS = {
    "*.py": ["a.py"],
    "**/*.py": ["a.py", "s/b.py", "s/t/c.py"],
    "**": ["a.py", "s/", "s/b.py", "s/t/", "s/t/c.py", "x.txt"],
    "s/*": ["s/b.py", "s/t/"],
    "s/**": ["s/b.py", "s/t/", "s/t/c.py"],
    "*": ["a.py", "s/", "x.txt"],
    "?.py": ["a.py"],
    "[ax].py": ["a.py"],
    "nothing*": [],
    "s": ["s/"],
    "s/t/c.py": ["s/t/c.py"],
}


@pytest.mark.parametrize("pattern", GLOBS)
def test_glob(store, make, pattern):
    tree = make({"a.py": "", "s/b.py": "", "s/t/c.py": "", "x.txt": ""})
    assert store.view(tree).glob(pattern) == GLOBS[pattern]


def test_glob_with_a_broken_pattern(store, make):
    with pytest.raises(InvalidInput) as error:
        store.view(make({"a": ""})).glob("[a")
    assert error.value.reason == "bad-pattern"


class TestDigest:
    def test_does_not_know_how_the_tree_came_about(self, store, make):
        one = make({"x": "1", "d/y": "2"})
        other = make({"d/y": "2"}, make({"x": "1", "z": None}, make({"x": "0", "z": "0"})))
        assert store.view(one).digest() == store.view(other).digest()

    @pytest.mark.parametrize(
        "change", [{"x": "2"}, {"x": None}, {"new": ""}, {"d/y": "3"}, {"l": None, "k": ("x",)}, {"e/": 0o700}]
    )
    def test_sees_every_change(self, store, make, change):
        base = make({"x": "1", "d/y": "2", "l": ("x",), "e/": 0o755})
        if "e/" in change:
            change = {"e": None, **change}
        assert store.view(make(change, base)).digest() != store.view(base).digest()

    def test_is_blind_to_times(self, store, make):
        base = make({"x": "1"})
        with store.edit(base) as edit:
            edit.utime("/", 5)
        assert store.view(edit.tree).digest() == store.view(base).digest()

    def test_of_equal_subtrees_is_equal(self, store, make):
        tree = make({"a/x": "1", "b/x": "1", "c/x": "2"})
        a, b, c = (store.view(tree).digest(path) for path in ("a", "b", "c"))
        assert a == b != c

    def test_of_content_alone(self, store, make):
        view = store.view(make({"a": "same", "d/b": "same"}))
        assert view.file_digest("a") == view.file_digest("d/b")
        assert view.file_digest("a") == "sha256:0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5"

    def test_what_is_remembered_is_what_is_computed(self, store, make):
        tree = make({"d/y": "3"}, make({"x": "1", "d/y": "2", "d/e/z": "1"}))
        first = store.view(tree).digest()
        again = store.view(tree).digest()
        with store._index.write() as db:
            db.execute("DELETE FROM memos")
        assert first == again == store.view(tree).digest()
