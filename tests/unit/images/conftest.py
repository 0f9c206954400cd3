"""A store of this user's own, and small images in it."""

from __future__ import annotations

import os

import pytest

from sealane_engine.sandbox.ids import IdRange
from sealane_engine.store.store import Store
from sealane_engine.store.tree import SCRATCH


@pytest.fixture
def ids():
    if os.getuid() != os.getgid():
        pytest.skip("needs a user whose group has the same number")
    return IdRange(os.getuid(), 1)


@pytest.fixture
def store(tmp_path, ids):
    with Store.open(tmp_path / "home", ids) as opened:
        yield opened


@pytest.fixture
def other_store(tmp_path, ids):
    with Store.open(tmp_path / "other", ids) as opened:
        yield opened


@pytest.fixture
def tree(store):
    """Two layers: a file of the first is gone in the second."""
    with store.edit(SCRATCH) as edit:
        edit.write("/a/one", b"1")
        edit.write("/a/two", b"2", mode=0o755)
        edit.symlink("one", "/a/link")
    with store.edit(edit.tree) as edit:
        edit.remove("/a/one")
        edit.write("/b", b"3")
    return edit.tree
