"""The store's life: results, layers, blobs, crashes, pruning."""

import errno
import hashlib
import io
import multiprocessing
import os
import sqlite3
import threading

import pytest

from sealane_engine.errors import DiskFull, InvalidInput, NotFound, StoreError
from sealane_engine.store import blobs, disk, index
from sealane_engine.store.store import Store

from .conftest import IDS


def a_layer(store, name="f", text="1"):
    staging = store.staging()
    (staging.fs / name).write_text(text)
    return store.commit(staging)


class TestLayers:
    def test_commit_moves_the_changes(self, store):
        layer = a_layer(store)
        assert (store.layer_path(layer) / "f").read_text() == "1"
        assert store.home / store.layer_rel(layer) == store.layer_path(layer)
        assert list((store.home / "s").iterdir()) == []

    def test_no_change_is_no_layer(self, store):
        assert store.commit(store.staging()) == ""

    def test_a_change_of_the_root_alone_is_a_layer(self, store):
        staging = store.staging()
        staging.fs.chmod(0o700)
        assert store.commit(staging)

    def test_stubs_are_dropped_when_they_are_empty(self, store):
        staging = store.staging()
        (staging.fs / "mnt/a").mkdir(parents=True)
        (staging.fs / "mnt/b").mkdir()
        (staging.fs / "mnt/b/used").write_text("1")
        (staging.fs / "hosts").touch()
        layer = store.commit(staging, drop=["/mnt/a", "mnt/b", "mnt", "hosts", "/not/there", "/"])
        root = store.layer_path(layer)
        assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == ["mnt", "mnt/b", "mnt/b/used"]

    def test_stubs_behind_a_link_are_not_touched(self, store, tmp_path):
        victim = tmp_path / "victim"
        (victim / "empty").mkdir(parents=True)
        (victim / "file").touch()
        staging = store.staging()
        (staging.fs / "mnt").symlink_to(victim)
        store.commit(staging, drop=["/mnt/empty", "/mnt/file", "/../victim/file"])
        assert sorted(path.name for path in victim.iterdir()) == ["empty", "file"]

    def test_discard_twice_and_after_commit_is_fine(self, store):
        staging = store.staging()
        (staging.fs / "f").touch()
        layer = store.commit(staging)
        other = os.open("/dev/null", os.O_RDONLY)  # may get the number of the staging's descriptor
        staging.discard()
        staging.discard()
        os.fstat(other)
        os.close(other)
        assert store.layer_path(layer).is_dir()


class TestResults:
    def test_round_trip(self, store):
        layer = a_layer(store)
        store.put_result("k", "step", {"exit": 0}, layers=[layer], inputs={"args": ["a"]})
        found = store.result("k")
        assert (found.kind, found.value, found.layers) == ("step", {"exit": 0}, (layer,))
        assert store.inputs("k") == {"args": ["a"]}
        assert store.result("other") is None
        assert store.inputs("other") is None

    def test_survive_the_process(self, home):
        with Store.open(home, IDS) as store:
            store.put_result("k", "step", 1, layers=[a_layer(store)])
        with Store.open(home, IDS) as store:
            assert store.result("k").value == 1

    def test_expire(self, store):
        store.put_result("k", "scan", 1, expires=1.0)
        assert store.result("k") is None

    def test_forget_by_prefix(self, store):
        for key in ("a:1", "a:2", "b:1", "a%"):
            store.put_result(key, "x", key)
        assert store.forget("a:") == 2
        assert sorted(found.key for found in store.results()) == ["a%", "b:1"]

    def test_newest_first(self, store):
        for key in "abc":
            store.put_result(key, "x", None)
        assert [found.key for found in store.results()] == ["c", "b", "a"]

    def test_a_result_whose_layer_is_gone_is_a_miss(self, home):
        with Store.open(home, IDS) as store:
            layer = a_layer(store)
            store.put_result("k", "step", 1, layers=[layer])
        disk.remove_tree(home / "l" / layer, home / "t")
        with Store.open(home, IDS) as store:
            assert store.result("k") is None
            assert list(store.results()) == []

    def test_replace_only_what_was_seen(self, store):
        store.put_result("k", "scan", 1)
        seen = store.result("k")
        assert store.replace_result(seen, "k", "scan", 2, layers=(), memos={"a": "1"}, gone=())
        assert not store.replace_result(seen, "k", "scan", 3, layers=(), memos={"a": "2"}, gone=())
        assert (store.result("k").value, store.memos("k")) == (2, {"a": "1"})

    def test_threads_share_a_store(self, store):
        def work(number):
            for turn in range(20):
                store.put_result(f"{number}:{turn}", "x", number, layers=[a_layer(store)])
                assert store.result(f"{number}:{turn}").value == number

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(list(store.results())) == 80


class TestBlobs:
    def test_by_content(self, store):
        digest = store.put_blob(b"hello")
        assert digest == f"sha256:{hashlib.sha256(b'hello').hexdigest()}"
        assert store.put_blob(io.BytesIO(b"hello")) == digest
        assert (store.read_blob(digest), store.has_blob(digest)) == (b"hello", True)

    def test_a_file_of_a_staging_is_moved_not_copied(self, store):
        staging = store.staging()
        file = staging.path / "download"
        file.write_bytes(b"hello")
        inode = file.stat().st_ino
        digest = f"sha256:{hashlib.sha256(b'hello').hexdigest()}"
        store.adopt_blob(file, digest)
        staging.discard()
        there = store.blob_path(digest).stat()
        assert (there.st_ino, there.st_mode & 0o777) == (inode, 0o600)
        assert (store.read_blob(digest), store.has_blob(digest)) == (b"hello", True)

    def test_a_flipped_bit_is_found_and_removed(self, store):
        digest = store.put_blob(b"hello")
        store.blob_path(digest).write_bytes(b"jello")
        with pytest.raises(StoreError) as error:
            store.read_blob(digest)
        assert error.value.reason == "blob-corrupt"
        assert not store.blob_path(digest).exists()
        assert store.put_blob(b"hello") == digest
        store.verify_blob(digest)

    def test_missing(self, store):
        digest = "sha256:" + "0" * 64
        assert not store.has_blob(digest)
        with pytest.raises(NotFound):
            store.read_blob(digest)

    @pytest.mark.parametrize("digest", ["sha256:../../x", "md5:00", "sha256:" + "0" * 63, "sha256:" + "G" * 64])
    def test_a_digest_is_never_a_path(self, store, digest):
        with pytest.raises(InvalidInput) as error:
            store.blob_path(digest)
        assert error.value.reason == "bad-digest"


class TestAfterACrash:
    def test_unsynced_work_of_another_boot_is_dropped(self, home, monkeypatch):
        store = Store.open(home, IDS)
        layer = a_layer(store)
        store.put_result("synced", "step", 1, layers=[layer])
        store.sync_durable()
        store.put_result("lost", "step", 1, layers=[layer, a_layer(store)])
        blob = store.put_blob(b"x")
        _abandon(store)
        monkeypatch.setattr(index, "boot_id", lambda: "another")
        with Store.open(home, IDS) as store:
            assert store.result("synced") is not None
            assert store.result("lost") is None
            assert not store.has_blob(blob)
            assert "1 cached results were dropped" in store.notes[0]

    def test_the_same_boot_keeps_it(self, home):
        store = Store.open(home, IDS)
        store.put_result("k", "step", 1, layers=[a_layer(store)])
        _abandon(store)
        with Store.open(home, IDS) as store:
            assert store.result("k") is not None
            assert store.notes == ()

    def test_stagings_of_the_dead_are_swept_and_of_the_living_not(self, store, home):
        alive = store.staging()
        dead = home / "s" / "dead"
        (dead / "work/work").mkdir(parents=True)
        (dead / "work/work").chmod(0)
        with Store.open(home, IDS) as other:
            assert not dead.exists()
            assert alive.path.exists()
            other.sync_durable()
            assert list((home / "t").iterdir()) == []
        alive.discard()

    def test_an_io_error_marks_nothing(self, store, home, monkeypatch):
        def fail(descriptor):
            raise OSError(errno.EIO, "Input/output error")

        a_layer(store)
        with monkeypatch.context() as patch:
            patch.setattr("sealane_engine.store.store.syncfs", fail)
            with pytest.raises(StoreError) as error:
                store.sync_durable()
        assert error.value.reason == "disk-io"
        assert store.sync_durable() == 1

    def test_another_version_is_moved_aside_with_a_reason(self, home):
        with Store.open(home, IDS) as store:
            store.put_result("k", "step", 1)
        with sqlite3.connect(home / "index.db") as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        with Store.open(home, IDS) as store:
            assert store.result("k") is None
            assert "another version of the engine (format 99" in store.notes[0]

    def test_a_damaged_index_is_moved_aside_with_a_reason(self, home):
        Store.open(home, IDS).close()
        (home / "index.db").write_bytes(b"no database at all" * 100)
        with Store.open(home, IDS) as store:
            assert "damaged" in store.notes[0]
            assert list(store.results()) == []

    def test_a_store_in_use_is_not_moved_aside(self, home, store):
        with sqlite3.connect(home / "index.db") as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        with pytest.raises(StoreError) as error:
            Store.open(home, IDS)
        assert error.value.reason == "store-busy"

    def test_a_full_disk_says_so(self, store, home):
        with pytest.raises(DiskFull, match=r"bytes are free at .*home: free some space"), disk.guarded(home):
            raise OSError(errno.ENOSPC, "No space left on device", str(home / "l/x"))

    def test_a_full_index_says_so(self, store):
        with store._index.connection() as db:
            db.execute("PRAGMA max_page_count = 1")
        with pytest.raises(DiskFull):
            store.put_memos("x", [(str(number), "z" * 10_000) for number in range(100)])


def _abandon(store):
    """As after kill -9: locks and descriptors end, nothing else happens."""
    store._leases._path.unlink()
    os.close(store._leases._descriptor)
    store._index.close()
    os.close(store._lock)
    os.close(store.root_fd)


def _hold(home, ready, done):
    with Store.open(home, IDS) as store:
        assert store.result("held") is not None
        ready.set()
        done.wait(30)


class TestPrune:
    def test_removes_what_nothing_uses(self, home):
        with Store.open(home, IDS) as store:
            store.put_result("k", "step", 1, layers=[a_layer(store)], blobs=[store.put_blob(b"x")])
            store.memo("files", "x")
        with Store.open(home, IDS) as store:
            pruned = store.prune()
            assert (pruned.results, pruned.layers, pruned.blobs) == (1, 1, 1)
            assert (list((home / "l").iterdir()), list((home / "b").glob("sha256/*/*"))) == ([], [])
            usage = store.usage()
            assert (usage.results, usage.layers, usage.blobs) == (0, 0, 0)

    def test_spares_what_this_process_made_or_looked_up(self, home):
        with Store.open(home, IDS) as store:
            store.put_result("old", "step", 1, layers=[a_layer(store)])
        with Store.open(home, IDS) as store:
            held = store.result("old").layers[0]
            made = a_layer(store)
            blob = store.put_blob(b"x")
            store.prune()
            assert store.layer_path(held).exists()
            assert store.layer_path(made).exists()
            assert store.has_blob(blob)

    def test_spares_what_another_process_uses(self, home):
        with Store.open(home, IDS) as store:
            for key in ("held", "free"):
                store.put_result(key, "step", 1, layers=[a_layer(store)])
            layers = {found.key: found.layers[0] for found in store.results()}
        context = multiprocessing.get_context("spawn")
        ready, done = context.Event(), context.Event()
        other = context.Process(target=_hold, args=(home, ready, done))
        other.start()
        try:
            assert ready.wait(30)
            with Store.open(home, IDS) as store:
                assert store.prune().layers == 1
                assert store.layer_path(layers["held"]).exists()
                assert not store.layer_path(layers["free"]).exists()
                other.kill()
                other.join()
                assert store.prune().layers == 1
        finally:
            other.kill()
            other.join()

    def test_keeps_what_was_used_last(self, home):
        with Store.open(home, IDS) as store:
            for key in "abc":
                store.put_result(key, "step", 1, layers=[a_layer(store, text="x" * 100_000)])
        with Store.open(home, IDS) as store:
            assert store.result("a")
        with Store.open(home, IDS) as store:
            store.prune(keep_bytes=150_000)
            assert [found.key for found in store.results()] == ["a"]

    def test_a_layer_that_dies_is_a_miss(self, home):
        with Store.open(home, IDS) as store:
            store.put_result("k", "step", 1, layers=[a_layer(store)])
        with Store.open(home, IDS) as store:
            with store._index.write() as db:
                db.execute("UPDATE objects SET dying = 1")
            assert store.result("k") is None

    def test_what_lies_about_without_a_row_goes_in_time(self, home, store, monkeypatch):
        (home / "l" / "stray").mkdir()
        store.prune()
        assert (home / "l" / "stray").exists()
        monkeypatch.setattr("sealane_engine.store.gc._GRACE", -1.0)
        store.prune()
        assert not (home / "l" / "stray").exists()

    def test_volumes_only_when_asked(self, home):
        with Store.open(home, IDS) as store:
            (store.volume("n", "k").path / "x").touch()
        with Store.open(home, IDS) as store:
            store.prune()
            assert store.usage().volumes == 1
            assert store.prune(cache_volumes=True).volumes == 1
            store.volume("n", "k")
            assert store.prune(cache_volumes=True).volumes == 0


def test_home_is_passable_and_says_that_it_is_a_cache(store, home):
    assert home.stat().st_mode & 0o777 == 0o711
    assert (home / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_a_very_deep_tree_is_removed(store, home):
    here = home / "t" / "deep"
    here.mkdir()
    start = os.open(here, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=start)
        below = os.open("d", os.O_RDONLY, dir_fd=start)
        os.close(start)
        start = below
    os.close(start)
    disk.remove_tree(here, home / "t")
    assert list((home / "t").iterdir()) == []


def test_blob_names_are_checked_before_any_path_is_made(home):
    with pytest.raises(InvalidInput):
        blobs.blob_path(home, "sha256:..")
