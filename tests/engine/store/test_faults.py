"""The store under faults: killed at any rename, a full disk, pruned while others work."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store

pytestmark = pytest.mark.needs("root")

WORK = """
import sys
from pathlib import Path
from sealane_engine.host.scan import scan_now
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store
from sealane_engine.store.tree import Tree

home, host = Path(sys.argv[1]), Path(sys.argv[2])
with Store.open(home, ROOT_RANGE) as store:
    with store.edit(Tree()) as edit:
        edit.write("a/b", b"1" * 1000)
        edit.symlink("b", "a/l")
    store.put_result("edit", "tree", list(edit.tree.layers), layers=edit.tree.layers)
    with store.edit(edit.tree) as second:
        second.remove("a/b")
        second.copy(store.view(scan_now(store, host)[0]), "/", "/src")
        second.chown("src", 5, 5)
    blob = store.put_blob(b"blob")
    store.put_result("copy", "tree", list(second.tree.layers), layers=second.tree.layers, blobs=[blob])
    print(store.view(second.tree).digest())
"""


def run(*arguments, prefix=()):
    return subprocess.run(
        [*prefix, sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def host(tmp_path):
    root = tmp_path / "host"
    (root / "d").mkdir(parents=True)
    (root / "d/f").write_text("x")
    (root / "big").write_text("y" * 3_000_000)
    return root


def check(home):
    """Everything that the store says it has, it has."""
    with Store.open(home, ROOT_RANGE) as store:
        assert not any("reset" in note for note in store.notes)
        for found in list(store.results()):
            again = store.result(found.key)
            assert again is not None
            for layer in again.layers:
                assert any(store.layer_path(layer).iterdir())
            for blob in again.blobs:
                assert hashlib.sha256(store.read_blob(blob)).hexdigest() == blob[7:]


@pytest.mark.needs("strace")
@pytest.mark.parametrize(
    "calls", ["rename,renameat,renameat2", "mkdir,mkdirat", "link,linkat,symlink,symlinkat,mknod,mknodat"]
)
def test_killed_at_any_instant(tmp_path, host, calls):
    script = tmp_path / "work.py"
    script.write_text(WORK)
    good = run(script, tmp_path / "good", host).stdout
    assert good.startswith("sha256:")
    for turn in range(1, 200):
        home = tmp_path / f"home{turn}"
        names = ",".join(f"?{call}" for call in calls.split(","))
        inject = ("strace", "-f", "-qq", "-e", f"trace={names}", "-e", f"inject={names}:signal=KILL:when={turn}")
        done = run(script, home, host, prefix=inject)
        if done.returncode == 0:
            assert done.stdout == good
            assert turn > 2
            return
        check(home)
        assert run(script, home, host).stdout == good
        with Store.open(home, ROOT_RANGE) as store:
            store.prune()
            store.sync_durable()
            assert [list((home / name).iterdir()) for name in "st"] == [[], []]
    pytest.fail("it never finished")


FILL = """
import os, subprocess, sys
from pathlib import Path
from sealane_engine.errors import DiskFull
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store
from sealane_engine.store.tree import Tree

home = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", home], check=True)

def edit(store, number):
    with store.edit(Tree()) as edit:
        edit.write("f", os.urandom(800_000))
    store.put_result(f"k{number}", "tree", 1, layers=edit.tree.layers)

def blob(store, number):
    store.put_result(f"b{number}", "blob", 1, blobs=[store.put_blob(os.urandom(800_000))])

def memo(store, number):
    store.put_memos("files", [(f"gone:{number} {each}", "y" * 2_000) for each in range(300)])

for work in (edit, blob, memo):
    for attempt in range(2):
        with Store.open(home, ROOT_RANGE) as store:
            for number in range(100):
                try:
                    work(store, number)
                except DiskFull as error:
                    assert "bytes are free" in error.message and str(home) in error.message, error.message
                    break
            else:
                raise AssertionError("it never was full")
            assert not list((home / "s").iterdir()), "a staging is left"
        with Store.open(home, ROOT_RANGE) as store:
            store.prune()
            edit(store, 0)
            assert store.result("k0") is not None
        with Store.open(home, ROOT_RANGE) as store:
            store.prune()
print("fine")
"""


def test_a_full_disk_is_an_error_and_pruning_helps(tmp_path):
    (tmp_path / "home").mkdir()
    done = run("-c", FILL, tmp_path / "home", prefix=("unshare", "--mount"))
    assert done.stdout == "fine\n", done.stderr


SHORT = """
import asyncio, os, shutil, subprocess, sys
from pathlib import Path
from sealane_engine.events import Events
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.session import Options, open_engine
from sealane_engine.store.store import Store
from sealane_engine.store.tree import Tree

home = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", home], check=True)

number = 0
while shutil.disk_usage(home).free > 4_000_000:
    number += 1
    with Store.open(home, ROOT_RANGE) as store, store.edit(Tree()) as edit:
        edit.write("f", os.urandom(800_000))
        store.put_result(f"{number:03}", "tree", 1, layers=edit.tree.layers)

async def session():
    async with open_engine(Options(home, workdir=home), Events()):
        pass

asyncio.run(session())
with Store.open(home, ROOT_RANGE) as store:
    left = sorted(found.key for found in store.results())
free = shutil.disk_usage(home).free + (home / "reserve").stat().st_size
print(free > 19_000_000, 0 < len(left) < number, left[-1:] == [f"{number:03}"])
"""


def test_an_engine_that_ends_leaves_room_on_a_disk_that_is_nearly_full(tmp_path):
    (tmp_path / "home").mkdir()
    done = run("-c", SHORT, tmp_path / "home", prefix=("unshare", "--mount"))
    assert done.stdout == "True True True\n", done.stderr


WORKER = """
import os, sys
from pathlib import Path
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store
from sealane_engine.store.tree import Tree

with Store.open(Path(sys.argv[1]), ROOT_RANGE) as store:
    for turn in range(100):
        key = f"k{turn % 10}"
        found = store.result(key)
        if found is None:
            with store.edit(Tree()) as edit:
                edit.write("f", key.encode())
            store.put_result(key, "tree", 1, layers=edit.tree.layers, blobs=[store.put_blob(key.encode())])
            layers, blob = edit.tree.layers, store.put_blob(key.encode())
        else:
            layers, blob = found.layers, found.blobs[0]
        assert store.view(Tree(tuple(layers))).read("f") == key.encode()
        assert store.read_blob(blob) == key.encode()
print("fine")
"""


def test_pruning_never_takes_what_others_use(tmp_path):
    home = tmp_path / "home"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, home], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    with Store.open(home, ROOT_RANGE) as store:
        while any(worker.poll() is None for worker in workers):
            store.prune()
        answers = [worker.communicate() for worker in workers]
        assert [out for out, _ in answers] == ["fine\n"] * 4, answers
        store.prune()  # how much is left for it is chance: what a live process made is leased while it lives
        assert store.usage().layers == 0
    assert not list((home / "l").iterdir())
    assert not list(Path(home, "b").glob("sha256/*/*"))
