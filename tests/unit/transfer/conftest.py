"""Two stores, and results in the first one as the engine records them."""

import os
import time

import pytest

from sealane_engine.graph.keys import make_key
from sealane_engine.graph.results import save_step, save_tree
from sealane_engine.graph.step import StepResult
from sealane_engine.sandbox.ids import ROOT_RANGE, IdRange
from sealane_engine.store.store import Store
from sealane_engine.store.tree import SCRATCH

IDS = ROOT_RANGE if os.geteuid() == 0 else IdRange(os.geteuid(), 1)


@pytest.fixture
def first(tmp_path):
    with Store.open(tmp_path / "first", IDS) as opened:
        yield opened


@pytest.fixture
def second(tmp_path):
    with Store.open(tmp_path / "second", IDS) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def tree(first):
    """tree("name", {"path": b"…"}, base) records an edit that made these files; answers its tree and key."""

    def make(name, files, base=SCRATCH, **inputs):
        with first.edit(base) as edit:
            for path, data in files.items():
                edit.write(path, data)
        key = make_key("edit", {"name": name, **inputs})
        save_tree(first, key, edit.tree)
        return edit.tree, key.digest

    return make


@pytest.fixture
def step(first):
    """step("name", tree, b"output") records a step that left this tree; answers its key."""

    def make(name, left, output=b"", mounts=None, **inputs):
        key = make_key("step", {"args": [name], **inputs})
        save_step(first, key, StepResult(key.digest, 0, output, b"", output, left, mounts or {}))
        return key.digest

    return make


@pytest.fixture
def used(first):
    """used(key, seconds) says that a result was used last that long ago."""

    def set_used(key, seconds_ago):
        with first._index.write() as db:
            db.execute("UPDATE results SET used = ? WHERE key = ?", (time.time() - seconds_ago, key))

    return set_used
