"""Layers on layers: what the image then shows (tests/golden/layers.toml). A directory outside is as it was, always."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest

from sealane_engine.errors import ImageError
from sealane_engine.oci import apply
from sealane_engine.store.store import Store
from sealane_engine.store.tree import SCRATCH

CASES = tomllib.loads((Path(__file__).parents[2] / "golden" / "layers.toml").read_text())
BELOW = [("file", "a", "a"), ("dir", "d"), ("file", "d/x", "x"), ("dir", "d/s"), ("file", "d/s/y", "y")]


@pytest.fixture
def victim(tmp_path):
    """A directory outside: its names, contents, modes and link counts must stay what they were."""
    place = tmp_path / "victim"
    place.mkdir()
    (place / "canary").write_text("untouched")
    (place / "canary").chmod(0o400)

    def state() -> str:
        found = hashlib.sha256()
        for path in sorted(tmp_path.rglob("*")):
            if path.is_relative_to(place):
                facts = path.lstat()
                data = path.read_bytes() if path.is_file() else b""
                found.update(
                    repr((path.name, facts.st_mode, facts.st_uid, facts.st_nlink, facts.st_mtime_ns, data)).encode()
                )
        return found.hexdigest()

    before = state()
    yield place
    assert state() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "victim"]


@pytest.fixture
def put(tmp_path, ids, tar, victim):
    """put(tree, entries): the tree with one more layer, applied as an image's layers are."""
    with Store.open(tmp_path / "home", ids) as store:

        def make(tree, entries):
            named = [tuple(word.replace("{victim}", str(victim)) for word in each) for each in entries]
            staging = store.staging(tree)
            try:
                apply.apply(io.BytesIO(tar(*named)), staging.fs, ids, lower=cast("Any", store.view(tree)))
                return tree.on(store.commit(staging))
            except BaseException:
                staging.discard()
                raise

        make.store = store
        yield make


@pytest.mark.parametrize("name", CASES["breakouts"])
def test_a_layer_stays_in_its_image(name, put):
    case = CASES["breakouts"][name]
    tree = put(SCRATCH, case["below"]) if "below" in case else SCRATCH
    with pytest.raises(ImageError) if case.get("refused") else contextlib.nullcontext():
        tree = put(tree, case["layer"])
    view = put.store.view(tree)
    assert {path: view.read(path).decode() for path in case.get("texts", {})} == case.get("texts", {})
    assert [path for path in case.get("gone", ()) if view.lstat(path) is not None] == []
    if "same" in case:
        one, other = (view.stat(path) for path in case["same"])
        assert one is not None
        assert other is not None
        assert Path(one.real).samefile(other.real)


@pytest.mark.parametrize("name", CASES["whiteouts"])
def test_whiteouts_hide_what_lies_below_and_nothing_else(name, put):
    case = CASES["whiteouts"][name]
    view = put.store.view(put(put(SCRATCH, BELOW), case["layer"]))
    found = {}
    for path, entry in view.walk("/"):
        if path != "/":
            found[path] = "/" if entry.kind == "dir" else view.read(path).decode()
    assert found == case["shows"]


def test_every_breakout_that_containerd_names_is_here():
    assert len(CASES["breakouts"]) >= 33
