"""An export that was damaged or forged: refused with its reason, deleted, and nothing of it in the store's results."""

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile

import pytest

from sealane_engine.graph.keys import digest_of, make_key
from sealane_engine.transfer.export import export
from sealane_engine.transfer.folder import CacheFault
from sealane_engine.transfer.restore import restore

MUCH = 1 << 30


@pytest.fixture
def exported(first, folder, tree, step):
    """An export with a tree, and a step with a blob."""
    made, _ = tree("base", {"/etc/hello": os.urandom(3_000)})
    step("run", made, os.urandom(100_000))
    export(first, folder, MUCH)
    return folder


def _layer(folder):
    return next((folder / "layers").iterdir())


def _edited(change):
    """A fault that changes the index by `change`."""

    def fault(folder):
        index = json.loads((folder / "index.json").read_text())
        change(index)
        (folder / "index.json").write_text(json.dumps(index))

    return fault


def _result(index, kind):
    return next(each for each in index["results"] if each["kind"] == kind)


def _name_layer(name):
    def change(index):
        made = _result(index, "tree")
        made["value"]["layers"] = [name.replace("LAYER", made["layers"][0])]

    return change


def _rename_layer(name):
    def change(index):
        index["layers"] = {name: next(iter(index["layers"].values()))}

    return change


def _forge_key(index):
    _result(index, "tree")["inputs"]["name"] = "another"


def _unlisted(index):
    _result(index, "step")["blobs"] = []


def _listed(index):
    made = _result(index, "tree")
    made |= {"inputs": [], "key": digest_of([])}


def _garbled(index):
    _result(index, "step")["value"]["stderr"] = {"base64": "!"}


def _image(index):
    made = dict(_result(index, "tree"))
    digest = f"sha256:{'a' * 64}"
    value = {"config": {"config": {"Env": 5}}, "digest": digest, "diff_ids": [digest], "name": "python"}
    index["results"].append(made | {"key": "catalog-image:1", "kind": "catalog-image", "value": value})


def _cut(folder):
    path = _layer(folder)
    path.write_bytes(path.read_bytes()[:-10])


def _flip(folder):
    path = _layer(folder)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _replace(folder, make):
    path = _layer(folder)
    path.unlink()
    make(path)


def _flip_blob(folder):
    path = next((folder / "blobs").iterdir())
    path.write_bytes(path.read_bytes()[::-1])


def _zero_diff(index):
    next(iter(index["layers"].values()))["diff_id"] = f"sha256:{'0' * 64}"


FAULTS = {
    "no-json": (lambda folder: (folder / "index.json").write_text("{"), "cache-index"),
    "deep-json": (lambda folder: (folder / "index.json").write_text("[" * 200_000), "cache-index"),
    "a-list": (lambda folder: (folder / "index.json").write_text("[]"), "cache-format"),
    "another-format": (_edited(lambda index: index.update(format=2)), "cache-format"),
    "no-format": (_edited(lambda index: index.pop("format")), "cache-format"),
    "no-results": (_edited(lambda index: index.pop("results")), "cache-index"),
    "results-of-text": (_edited(lambda index: index.update(results=["x"])), "cache-index"),
    "unknown-kind": (_edited(lambda index: _result(index, "tree").update(kind="trust")), "cache-index"),
    "key-of-other-inputs": (_edited(_forge_key), "cache-index"),
    "blob-not-listed": (_edited(_unlisted), "cache-index"),
    "layer-outside": (_edited(_name_layer("../../etc")), "cache-index"),
    "layer-from-below": (_edited(_name_layer("LAYER/../../../etc")), "cache-index"),
    "layer-absolute": (_edited(_name_layer("/etc")), "cache-index"),
    "layer-without-parts": (_edited(_name_layer("LAYER//etc")), "cache-index"),
    "file-as-a-directory": (_edited(_name_layer("LAYER/etc/hello")), "cache-index"),
    "no-such-directory": (_edited(_name_layer("LAYER/none")), "cache-index"),
    "name-outside": (_edited(_rename_layer("../../../x")), "cache-index"),
    "digest-as-path": (_edited(lambda index: index["blobs"].update({"sha256:../../x": 1})), "cache-index"),
    "size-of-text": (_edited(lambda index: next(iter(index["layers"].values())).update(size="1")), "cache-index"),
    "name-of-no-letters": (_edited(_name_layer("LAYER/\ud800")), None),
    "inputs-that-are-a-list": (_edited(_listed), "cache-index"),
    "output-that-is-no-base64": (_edited(_garbled), "cache-index"),
    "image-without-a-configuration": (_edited(_image), "cache-index"),
    "time-without-end": (_edited(lambda index: _result(index, "tree").update(created=10**400)), "cache-index"),
    "other-diff-id": (_edited(_zero_diff), "cache-digest"),
    "index-is-a-link": (lambda folder: _link(folder / "index.json"), "cache-file"),
    "cut": (_cut, "size-mismatch"),
    "flipped": (_flip, None),
    "blob-flipped": (_flip_blob, "digest-mismatch"),
    "gone": (lambda folder: _layer(folder).unlink(), "cache-file"),
    "link": (lambda folder: _replace(folder, lambda path: path.symlink_to("/etc/passwd")), "cache-file"),
    "fifo": (lambda folder: _replace(folder, os.mkfifo), "cache-file"),
    "directory": (lambda folder: _replace(folder, lambda path: path.mkdir()), "cache-file"),
    "no-layers": (lambda folder: shutil.rmtree(folder / "layers"), "cache-file"),
}


def _link(path):
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_and_leaves_the_store_cold(exported, second, name):
    damage, reason = FAULTS[name]
    damage(exported)
    with pytest.raises(CacheFault) as caught:
        restore(second, exported)
    assert reason in (None, caught.value.reason)
    assert caught.value.hint
    assert list(second.results()) == []
    assert not (exported / "index.json").exists()
    assert restore(second, exported) is None


def test_after_a_fault_the_next_export_is_whole_again(exported, first, second):
    _flip(exported)
    with pytest.raises(CacheFault):
        restore(second, exported)
    export(first, exported, MUCH)
    assert restore(second, exported).results == 2


def test_what_is_not_an_exports_file_outlives_a_fault(exported, second):
    (exported / "mine.txt").write_text("mine")
    _cut(exported)
    (exported / "layers/mine.txt").write_text("mine")
    with pytest.raises(CacheFault):
        restore(second, exported)
    assert (exported / "mine.txt").exists()
    assert (exported / "layers/mine.txt").exists()


def test_a_folder_without_an_export_is_no_fault(second, tmp_path):
    assert restore(second, tmp_path / "none") is None
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("mine")
    assert restore(second, tmp_path / "other") is None
    assert (tmp_path / "other/file").exists()


def _forged(folder, *members):
    """An export whose one layer is this hostile stream, with digests that are right."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            member.size = 4 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"evil"))
    plain = out.getvalue()
    data = gzip.compress(plain)
    file = hashlib.sha256(data).hexdigest()
    (folder / "layers").mkdir(parents=True)
    (folder / "layers" / file).write_bytes(data)
    key = make_key("edit", {"name": "forged"})
    packed = {"file": file, "size": len(data), "diff_id": f"sha256:{hashlib.sha256(plain).hexdigest()}"}
    made = {"key": key.digest, "kind": "tree", "blobs": [], "layers": ["aaaaaaaaaa"], "created": 1.0}
    made |= {"inputs": key.inputs, "value": {"layers": ["aaaaaaaaaa/out"]}}
    index = {"format": 1, "layers": {"aaaaaaaaaa": packed}, "blobs": {}, "results": [made]}
    (folder / "index.json").write_text(json.dumps(index))


def test_a_directory_of_a_layer_that_is_a_link_out_is_refused(second, folder):
    _forged(folder, ("out", tarfile.SYMTYPE, "/etc"))
    with pytest.raises(CacheFault) as caught:
        restore(second, folder)
    assert caught.value.reason == "cache-index"


def test_a_hostile_stream_stays_within_its_layer(second, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    _forged(
        folder,
        ("out", tarfile.DIRTYPE, ""),
        ("leave", tarfile.SYMTYPE, str(outside)),
        ("leave/evil", tarfile.REGTYPE, ""),
        ("../../../outside/evil", tarfile.REGTYPE, ""),
    )
    restore(second, folder)
    assert list(outside.iterdir()) == []


def test_a_layer_of_the_store_is_never_taken_for_another(exported, first, second, tree):
    """A forged export that gives its own content the name of a layer that is here."""
    made, key = tree("precious", {"/precious": b"1"})
    index = json.loads((exported / "index.json").read_text())
    name = next(iter(index["layers"]))
    text = (exported / "index.json").read_text().replace(name, made.layers[0])
    index = json.loads(text)
    index["results"] = [each for each in index["results"] if each["kind"] == "tree"]
    (exported / "index.json").write_text(json.dumps(index))
    first.forget(index["results"][0]["key"])
    with pytest.raises(CacheFault) as caught:
        restore(first, exported)
    assert caught.value.reason == "cache-conflict"
    assert first.view(made).read("/precious") == b"1"
    assert first.result(key) is not None
