"""A store of its own for each test, and trees made from a few words."""

import os

import pytest

from sealane_engine.sandbox.ids import ROOT_RANGE, IdRange
from sealane_engine.store.store import Store
from sealane_engine.store.tree import SCRATCH

IDS = ROOT_RANGE if os.geteuid() == 0 else IdRange(os.geteuid(), 1)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def store(home):
    with Store.open(home, IDS) as opened:
        yield opened


@pytest.fixture
def make(store):
    """make({"a": "text", "d/": None, "l": ("target",)}, base): a tree with these on top; None for a path removes it."""

    def make(entries, base=SCRATCH):
        with store.edit(base) as edit:
            for path, what in entries.items():
                if path.endswith("/"):
                    edit.mkdir(path, what or 0o755)
                elif what is None:
                    edit.remove(path)
                elif isinstance(what, tuple):
                    edit.symlink(what[0], path)
                else:
                    edit.write(path, what.encode())
        return edit.tree

    return make


@pytest.fixture
def show(store):
    """All of a tree as a dict: path to content, link target (after "-> "), or "/" for a directory."""

    def show(tree, path="/"):
        view = store.view(tree)
        found = {}
        for full, entry in view.walk(path):
            if entry.kind == "dir":
                found[full] = "/"
            elif entry.kind == "symlink":
                found[full] = "-> " + view.readlink(full)
            else:
                found[full] = view.read(full).decode()
        return found

    return show
