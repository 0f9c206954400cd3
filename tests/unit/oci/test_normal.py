"""Layers written for an image: whatever the day, the same bytes."""

from __future__ import annotations

import io
import os
import py_compile
import tarfile
from pathlib import Path

import pytest

from sealane_engine.api.container.images import CREATED, epoch_of
from sealane_engine.api.values import Config, Container
from sealane_engine.oci import diff, normal
from sealane_engine.oci.normal import Normal

EPOCH = 1_700_000_000
SHADOW = b"root:*:19000:0:99999:7:::\napp:!:{day}:0:99999:7:::\nnew:x:0:0:::::\nodd\n"


def fill(root: Path, when: int) -> Path:
    """What apt, useradd, ldconfig and pip leave, at a time."""
    for name in ("etc", "app", "var/log/apt", "var/cache/ldconfig", "root/.cache/pip/http"):
        (root / name).mkdir(parents=True)
    (root / "etc/shadow").write_bytes(SHADOW.replace(b"{day}", str(when // 86_400).encode()))
    (root / "var/log/apt/history.log").write_text(str(when))
    (root / "var/cache/ldconfig/aux-cache").write_text(str(when))
    (root / "root/.cache/pip/http/answer").write_text(str(when))
    source = root / "app/m.py"
    source.write_text("x = 1\n")
    os.utime(source, (when, when))
    compiled = root / "app/__pycache__/m.cpython-311.pyc"
    py_compile.compile(
        str(source), str(compiled), dfile="m.py", invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP
    )
    for path in (*root.rglob("*"), root):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (when, when))
    return root


def written(layer: Path, ids, *, normalised: bool = True) -> bytes:
    sink = io.BytesIO()
    diff.write(layer, sink, ids, Normal(EPOCH, (layer,)) if normalised else None)
    return sink.getvalue()


def test_two_days_give_the_same_bytes(tmp_path, ids):
    first, second = (fill(tmp_path / name, when) for name, when in (("1", 1_650_000_000), ("2", 1_790_000_000)))
    assert written(first, ids, normalised=False) != written(second, ids, normalised=False)
    assert written(first, ids) == written(second, ids)


def test_nothing_carries_another_date(tmp_path, ids):
    layer = fill(tmp_path / "1", 1_790_000_000)
    with tarfile.open(fileobj=io.BytesIO(written(layer, ids))) as archive:
        files = {member.name: member for member in archive}
        assert {member.mtime for member in files.values()} == {EPOCH}
        assert "var/log/apt" in files
        assert not {"var/log/apt/history.log", "var/cache/ldconfig/aux-cache", "root/.cache/pip/http"} & files.keys()
        shadow = archive.extractfile("etc/shadow")
        assert shadow is not None
        day = str(EPOCH // 86_400).encode()
        assert shadow.read() == SHADOW.replace(b"{day}", day).replace(b"19000", day)


def test_a_compiled_file_still_belongs_to_its_source(tmp_path, ids):
    layer = fill(tmp_path / "1", 1_790_000_000)
    with tarfile.open(fileobj=io.BytesIO(written(layer, ids))) as archive:
        compiled = archive.extractfile("app/__pycache__/m.cpython-311.pyc")
        assert compiled is not None
        assert int.from_bytes(compiled.read()[8:12], "little") == archive.getmember("app/m.py").mtime


@pytest.mark.parametrize("where", ["this layer", "an own layer below", "the base"])
def test_a_source_of_the_base_keeps_its_time(tmp_path, where):
    layer, below = tmp_path / "layer", tmp_path / "below"
    for root in (layer, below):
        (root / "app/__pycache__").mkdir(parents=True)
    compiled = layer / "app/__pycache__/m.cpython-311.opt-1.pyc"
    compiled.write_bytes(b"magi" + bytes(4) + (1_500_000_000).to_bytes(4, "little") + b"size")
    if where != "the base":
        ((layer if where == "this layer" else below) / "app/m.py").write_text("")
    found = Normal(EPOCH, (below, layer)).content("app/__pycache__/m.cpython-311.opt-1.pyc", str(compiled))
    if where == "the base":
        assert found is None
    else:
        assert found == b"magi" + bytes(4) + EPOCH.to_bytes(4, "little") + b"size"


def test_a_compiled_file_that_knows_its_source_by_content_stays(tmp_path):
    (tmp_path / "m.py").write_text("")
    (tmp_path / "m.pyc").write_bytes(b"magi" + b"\3\0\0\0" + b"12345678")
    assert Normal(EPOCH, (tmp_path,)).content("m.pyc", str(tmp_path / "m.pyc")) is None


def test_patterns_hold_below_the_root_alone():
    own = Normal(0, ())
    assert own.drops("home/app/.cache/pip/http/a/b")
    assert own.drops("root/.npm/_logs/x.log")
    assert not own.drops("srv/var/log/apt/history.log")
    assert not own.drops("var/log/app.log")
    assert all(not pattern.startswith("/") for pattern in normal.DROPPED)


def test_the_epoch_is_the_builds_else_the_labels_else_a_fixed_day():
    labelled = Container(config=Config(labels=((CREATED, "2023-11-14T22:13:20Z"),)))
    assert epoch_of(labelled) == EPOCH
    assert epoch_of(Container(config=Config(labels=((CREATED, "2023-11-14T22:13:20"),)))) == EPOCH
    assert epoch_of(Container(config=Config(labels=((CREATED, "yesterday"),)))) == normal.DEFAULT_EPOCH
    assert epoch_of(Container()) == normal.DEFAULT_EPOCH
    assert epoch_of(Container(config=labelled.config, epoch=5)) == 5
    assert epoch_of(Container(epoch=None)) is None
