"""Exports and imports under faults: killed at any instant, a full disk. A folder is whole, or it isn't there."""

import subprocess
import sys

import pytest

from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store
from sealane_engine.transfer.restore import restore

pytestmark = pytest.mark.needs("root")

COMMON = """
import os, subprocess, sys
from pathlib import Path
from sealane_engine.errors import DiskFull
from sealane_engine.graph.keys import make_key
from sealane_engine.graph.results import save_tree
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store
from sealane_engine.store.tree import Tree
from sealane_engine.transfer.export import export
from sealane_engine.transfer.folder import CacheFault
from sealane_engine.transfer.restore import restore

def fill(store, name, size=1000):
    with store.edit(Tree()) as edit:
        edit.write("f", os.urandom(size))
    save_tree(store, make_key("edit", {"name": name}), edit.tree)

home, folder = Path(sys.argv[1]), Path(sys.argv[2])
"""
EXPORT = """
with Store.open(home, ROOT_RANGE) as store:
    print(export(store, folder, 2_500).results)
"""
IMPORT = """
with Store.open(home, ROOT_RANGE) as store:
    restore(store, folder)
    print(len(list(store.results())))
"""


def run(code, *arguments, prefix=()):
    return subprocess.run(
        [*prefix, sys.executable, "-c", COMMON + code, *arguments],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def killing(turn):
    """strace, which kills at the nth of the calls that change what others see."""
    names = "?rename,?renameat,?renameat2,?unlink,?unlinkat"
    return ("strace", "-f", "-qq", "-e", f"trace={names}", "-e", f"inject={names}:signal=KILL:when={turn}")


@pytest.fixture
def stores(tmp_path):
    """A store with three results, a folder with an export of two others, and its index."""
    home, folder = tmp_path / "home", tmp_path / "cache"
    run('with Store.open(home, ROOT_RANGE) as s: fill(s, "a"); fill(s, "b"); export(s, folder, 2_500)', home, folder)
    run('with Store.open(home, ROOT_RANGE) as s: [fill(s, n) for n in "cde"]', home, folder)
    return home, folder


@pytest.mark.needs("strace")
def test_an_export_that_is_killed_leaves_a_folder_that_can_be_imported(stores, tmp_path):
    home, folder = stores
    assert (folder / "index.json").exists()
    for turn in range(1, 100):
        done = run(EXPORT, home, folder, prefix=killing(turn))
        with Store.open(tmp_path / f"other{turn}", ROOT_RANGE) as other:
            assert restore(other, folder).results == 2
        if done.returncode == 0:
            assert turn > 3
            assert len(list((folder / "layers").iterdir())) == 2, "of the killed ones nothing is left"
            return
    pytest.fail("it never finished")


@pytest.mark.needs("strace")
def test_an_import_that_is_killed_is_done_by_the_next(stores, tmp_path):
    _, folder = stores
    index = (folder / "index.json").read_bytes()
    for turn in range(1, 100):
        home = tmp_path / f"other{turn}"
        done = run(IMPORT, home, folder, prefix=killing(turn))
        assert run(IMPORT, home, folder).stdout == "2\n"
        assert (folder / "index.json").read_bytes() == index
        if done.returncode == 0:
            assert turn > 3
            return
    pytest.fail("it never finished")


FULL_STORE = """
with Store.open(home, ROOT_RANGE) as store:
    for number in range(40):
        fill(store, number, 800_000)
    export(store, folder, 1 << 30)
small = home.parent / "small"
small.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", small], check=True)
with Store.open(small, ROOT_RANGE) as store:
    try:
        restore(store, folder)
        raise AssertionError("it had room")
    except CacheFault as error:
        assert error.reason == "disk-full", error
    assert not list(store.results()) and not list((small / "s").iterdir())
with Store.open(small, ROOT_RANGE) as store:
    store.prune()
    fill(store, "new", 4_000_000)
print("fine")
"""


def test_a_store_without_room_is_cold_and_not_broken(tmp_path):
    done = run(FULL_STORE, tmp_path / "home", tmp_path / "cache", prefix=("unshare", "--mount"))
    assert done.stdout == "fine\n", done.stderr


FULL_FOLDER = """
folder.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
with Store.open(home, ROOT_RANGE) as store:
    fill(store, "first")
    export(store, folder, 1 << 30)
    for number in range(10):
        fill(store, number, 800_000)
    try:
        export(store, folder, 1 << 30)
        raise AssertionError("it had room")
    except DiskFull as error:
        assert str(folder) in error.message, error.message
    fill(store, "last")
with Store.open(home.parent / "other", ROOT_RANGE) as other:
    assert restore(other, folder).results == 1
with Store.open(home, ROOT_RANGE) as store:
    store.prune()
    fill(store, "after")
    assert export(store, folder, 1 << 20).results == 1
print("fine")
"""


def test_a_folder_without_room_keeps_the_export_before(tmp_path):
    done = run(FULL_FOLDER, tmp_path / "home", tmp_path / "cache", prefix=("unshare", "--mount"))
    assert done.stdout == "fine\n", done.stderr
