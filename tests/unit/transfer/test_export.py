"""What goes into an export, in which order, and how it comes out again in another store."""

import json
import os
import stat
import time

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.graph.keys import make_key
from sealane_engine.graph.results import load_step, load_tree
from sealane_engine.oci import blobs, chains
from sealane_engine.oci.descriptor import Descriptor
from sealane_engine.store.tree import Tree
from sealane_engine.transfer.export import export
from sealane_engine.transfer.restore import restore

MUCH = 1 << 30


def test_a_tree_and_a_step_are_the_same_in_the_other_store(first, second, folder, tree, step):
    base, key = tree("base", {"/etc/hello": b"hello", "/bin/run": b"x" * 100_000})
    (first.layer_path(base.layers[0]) / "etc/link").symlink_to("hello")
    with first.edit(base) as edit:
        edit.remove("/bin/run")
        edit.mkdir("/new", 0o700, 5, 6)
    output = os.urandom(100_000)
    ran = step("touch", edit.tree, output, mounts={0: base})
    done = export(first, folder, MUCH)
    assert (done.results, done.left_out, done.changed) == (2, 0, True)
    taken = restore(second, folder)
    assert (taken.results, taken.layers) == (2, 2)
    assert load_tree(second, key) == base
    there = load_step(second, ran)
    assert (there.root, there.mounts, there.stdout, there.exit_code) == (edit.tree, {0: base}, output, 0)
    for each in (base, edit.tree):
        assert second.view(each).digest() == first.view(each).digest()
    entry = second.view(edit.tree).stat("/new")
    assert (entry.mode, entry.uid, entry.gid) == (0o700, 5, 6)
    assert second.inputs(ran)["args"] == ["touch"]


def test_a_second_import_brings_nothing_and_changes_nothing(first, second, folder, tree):
    _, key = tree("base", {"/a": b"1"})
    export(first, folder, MUCH)
    restore(second, folder)
    created = second.result(key).created
    taken = restore(second, folder)
    assert (taken.results, taken.layers, taken.bytes) == (0, 0, 0)
    assert second.result(key).created == created


def test_the_same_results_give_the_same_index_from_either_store(first, second, folder, tmp_path, tree, step):
    step("one", tree("base", {"/a": b"1", "/b/c": b"2"})[0])
    export(first, folder, MUCH)
    index = (folder / "index.json").read_bytes()
    assert not export(first, folder, MUCH).changed
    restore(second, folder)
    assert not export(second, folder, MUCH).changed
    export(second, tmp_path / "elsewhere", MUCH)
    assert (tmp_path / "elsewhere/index.json").read_bytes() == index


def test_what_was_used_last_comes_first_and_the_limit_holds(first, folder, tree, used):
    keys = [tree(str(number), {"/data": os.urandom(10_000)})[1] for number in range(4)]
    for key, ago in zip(keys, (40, 10, 30, 20), strict=True):
        used(key, ago)
    done = export(first, folder, 25_000)
    assert (done.results, done.left_out) == (2, 2)
    assert done.bytes <= 25_000
    assert _keys(folder) == {keys[1], keys[3]}
    assert sum(path.stat().st_size for path in (folder / "layers").iterdir()) == done.bytes


def test_a_result_goes_whole_or_not_at_all(first, folder, tree, step, used):
    large, key = tree("large", {"/data": os.urandom(30_000)})
    small, other = tree("small", {"/data": os.urandom(5_000)}, base=large)
    ran = step("both", small, mounts={0: tree("mount", {"/m": b"m"})[0]})
    used(ran, 0)
    for each in (key, other):
        used(each, 50)
    done = export(first, folder, 20_000)
    names = json.loads((folder / "index.json").read_text())["layers"]
    assert ran not in _keys(folder)
    assert set(small.layers).isdisjoint(names)
    assert done.bytes < 5_000


def test_what_ran_comes_before_what_was_put_together_from_it(first, folder, tree, step, used):
    ran = step("ran", tree("base", {"/data": os.urandom(10_000)})[0])
    used(ran, 1_000)
    for number in range(3):
        tree(str(number), {"/data": os.urandom(10_000)})
    export(first, folder, 15_000)
    assert ran in _keys(folder)


def test_what_is_put_together_again_as_fast_goes_only_when_it_costs_little(first, folder, tree, step):
    large = os.urandom(1_500_000)
    alone = tree("alone", {"/data": large})[1]
    made, below = tree("below", {"/data": large})
    ran = step("ran", made)
    small = tree("small", {"/data": b"1"})[1]
    assert export(first, folder, MUCH).left_out == 1
    assert _keys(folder) == {below, ran, small}
    assert alone not in _keys(folder)


def test_layers_that_are_the_same_file_count_once(first, second, folder, tree, step):
    data = os.urandom(10_000)
    keys = []
    for number in range(4):
        made, key = tree(str(number), {"/data": data})
        step(str(number), made)
        os.utime(first.layer_path(made.layers[0]) / "data", (1, 1))
        os.utime(first.layer_path(made.layers[0]), (1, 1))
        keys.append(key)
    done = export(first, folder, 15_000)
    assert (done.results, done.left_out) == (8, 0)
    assert len(list((folder / "layers").iterdir())) == 1
    assert restore(second, folder).bytes == done.bytes
    assert [second.view(load_tree(second, key)).read("/data") for key in keys] == [data] * 4


def test_a_smaller_limit_deletes_what_no_longer_fits(first, folder, tree, used):
    old, new = (tree(name, {"/data": os.urandom(10_000)})[1] for name in ("old", "new"))
    used(old, 100)
    assert export(first, folder, MUCH).results == 2
    assert export(first, folder, 15_000).results == 1
    assert _keys(folder) == {new}
    assert len(list((folder / "layers").iterdir())) == 1


def test_what_hangs_on_a_secret_stays_and_so_does_all_that_is_built_on_it(first, folder, tree, step):
    base, public = tree("base", {"/a": b"1"})
    with first.edit(base) as edit:
        edit.write("/token", b"hidden")
    secret = step("login", edit.tree, secrets=[["TOKEN", "hmac:abc"]])
    other = step("mount", base, mounts={0: base}, more=[{"secret": "/s", "identity": "cache-key:x"}])
    after = step("after", base, root=secret)
    with first.edit(edit.tree) as above:
        above.write("/b", b"2")
    built = step("built", above.tree, root="sha256:" + "0" * 64)
    chained = step("chained", base, mounts_in=[{"source": f"{secret}/dir"}])
    export(first, folder, MUCH)
    assert _keys(folder) == {public}
    assert not {secret, other, after, built, chained} & _keys(folder)


def test_what_was_built_on_a_secret_stays_though_its_step_ran_again_since(first, folder, tree, step):
    base, public = tree("base", {"/a": b"1"})
    secret = step("login", base, secrets=[["TOKEN", "hmac:abc"]])
    built = step("built", base, root=secret)
    after = step("after", base, root=built)
    step("login", base, secrets=[["TOKEN", "hmac:abc"]])
    export(first, folder, MUCH)
    assert _keys(folder) == {public}
    assert not {built, after} & _keys(folder)


def test_what_is_only_this_machines_or_of_a_moment_stays(first, folder, tree):
    layers = tree("base", {"/a": b"1"})[0].layers
    for kind in ("scan", "trust", "image", "http", "function", "copy", "flat", "unheard-of"):
        first.put_result(f"{kind}:1", kind, {}, layers=layers)
    gone = make_key("edit", {"name": "gone"})
    first.put_result(gone.digest, "tree", {"layers": list(layers)}, layers=layers, inputs=gone.inputs, expires=1.0)
    assert export(first, folder, MUCH).results == 1


def test_an_image_built_here_goes_for_a_week(first, second, folder, tree):
    layers = tree("base", {"/a": b"1"})[0].layers
    value = {"config": {}, "digest": "sha256:" + "a" * 64, "diff_ids": ["sha256:" + "b" * 64], "name": "python"}
    first.put_result("catalog-image:1", "catalog-image", value, layers=layers)
    export(first, folder, MUCH)
    restore(second, folder)
    assert second.result("catalog-image:1").value == value
    week = 7 * 24 * 3600
    with first._index.write() as db:
        db.execute("UPDATE results SET created = ?", (time.time() - week - 1,))
    export(first, folder, MUCH)
    assert "catalog-image:1" not in _keys(folder)


def test_a_registrys_layer_takes_the_blob_along_that_it_came_from(first, second, folder, tree, used):
    (layer,) = tree("base", {"/a": os.urandom(1_000)})[0].layers
    diff_id = "sha256:" + "c" * 64
    blob = first.put_blob(b"as the registry has it" * 1_000)
    blobs.remember(first, layer, blobs.LayerBlob(Descriptor("tar", blob, 22_000), diff_id, 0), blobs.OWN)
    chains.remember(first, [diff_id], layer)
    assert export(first, folder, 10_000).results == 0
    assert export(first, folder, MUCH).results == 3
    restore(second, folder)
    assert chains.known(second, [diff_id]) == layer
    assert blobs.layer_blob(second, layer).descriptor.digest == blob
    assert second.read_blob(blob).startswith(b"as the registry")


@pytest.mark.parametrize("name", [".wh.looks-like-a-whiteout", "socket"])
def test_a_layer_that_no_stream_can_tell_stays(first, folder, tree, name):
    made, _ = tree("odd", {"/a/b": b"1"})
    path = first.layer_path(made.layers[0]) / "a" / name
    if name == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    else:
        path.write_bytes(b"")
    _, key = tree("plain", {"/c": b"1"})
    assert export(first, folder, MUCH).left_out == 1
    assert _keys(folder) == {key}


def test_a_layer_with_a_path_longer_than_the_system_takes_stays(first, folder, tree):
    made, _ = tree("deep", {"/a/b": b"1"})
    at = os.open(first.layer_path(made.layers[0]) / "a", os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=at)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    _, key = tree("plain", {"/c": b"1"})
    assert export(first, folder, MUCH).left_out == 1
    assert _keys(folder) == {key}


def test_a_folder_that_can_not_be_written_is_named(first, tmp_path, tree):
    tree("base", {"/a": b"1"})
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput) as caught:
        export(first, tmp_path / "file", MUCH)
    assert caught.value.reason == "cache-folder"


def test_files_that_are_not_ours_stay_in_the_folder(first, folder, tree):
    (folder / "layers").mkdir(parents=True)
    (folder / "layers/notes.txt").write_text("mine")
    (folder / "layers" / ("0" * 64)).write_text("of an export that is gone")
    tree("base", {"/a": b"1"})
    export(first, folder, MUCH)
    assert (folder / "layers/notes.txt").exists()
    assert not (folder / "layers" / ("0" * 64)).exists()


def test_a_directory_of_a_layer_is_a_tree_there_too(first, second, folder, tree):
    (layer,) = tree("base", {"/src/a": b"1"})[0].layers
    key = make_key("edit", {"name": "below"})
    first.put_result(key.digest, "tree", {"layers": [f"{layer}/src"]}, layers=(layer,), inputs=key.inputs)
    export(first, folder, MUCH)
    restore(second, folder)
    assert second.view(load_tree(second, key.digest)).read("/a") == b"1"
    assert load_tree(second, key.digest) == Tree((f"{layer}/src",))


def _keys(folder):
    return {each["key"] for each in json.loads((folder / "index.json").read_text())["results"]}
