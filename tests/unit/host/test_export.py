"""Exports: what lands on the host, and what can't."""

import os
from pathlib import Path

import pytest

from sealane_engine.errors import HostError, InvalidInput, NotFound
from sealane_engine.host.export import export_directory, export_file
from sealane_engine.store.tree import Tree


@pytest.fixture
def view(store):
    with store.edit(Tree()) as edit:
        edit.write("new", b"n")
        edit.write("d/run", b"#!", 0o755)
        edit.mkdir("d/closed", 0o500)
        edit.write("d/closed/in", b"1")
        edit.mkdir("empty", 0o700)
        edit.symlink("new", "l")
        edit.symlink("/etc/passwd", "out")
        edit.write("suid", b"", 0o4755)
    with store.edit(edit.tree) as edit:
        edit.utime("/", 1_700_000_000)
    return store.view(edit.tree)


def test_modes_times_and_links(view, tmp_path):
    out = tmp_path / "a/b"
    export_directory(view, "/", out, wipe=False)
    found = {str(path.relative_to(out)): oct(path.lstat().st_mode) for path in out.rglob("*") if not path.is_symlink()}
    assert found == {
        "new": "0o100644",
        "d": "0o40755",
        "d/run": "0o100755",
        "d/closed": "0o40500",
        "d/closed/in": "0o100644",
        "empty": "0o40700",
        "suid": "0o100755",
    }
    assert ((out / "l").readlink(), (out / "out").readlink()) == (Path("new"), Path("/etc/passwd"))
    assert {path.lstat().st_mtime for path in out.rglob("*") if not path.is_symlink()} == {1_700_000_000}
    assert (out / "new").stat().st_uid == os.geteuid()


def test_merges(view, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/old").write_text("old")
    (tmp_path / "new").write_text("replaced")
    export_directory(view, "/", tmp_path, wipe=False)
    assert ((tmp_path / "d/old").read_text(), (tmp_path / "new").read_text()) == ("old", "n")


def test_wipes(view, tmp_path):
    out = tmp_path / "out"
    (out / "stale/deep").mkdir(parents=True)
    (out / "d").mkdir()
    (out / "d/old").write_text("old")
    export_directory(view, "/", out, wipe=True)
    assert sorted(path.name for path in out.iterdir()) == ["d", "empty", "l", "new", "out", "suid"]
    assert sorted(path.name for path in (out / "d").iterdir()) == ["closed", "run"]


def test_twice_is_the_same(view, tmp_path):
    for _ in range(2):
        export_directory(view, "/", tmp_path / "out", wipe=False)
    assert (tmp_path / "out/d/closed/in").read_text() == "1"


def test_equal_bytes_are_left_and_equal_looks_are_not(view, tmp_path):
    out = tmp_path / "out"
    export_directory(view, "/", out, wipe=False)
    inode = (out / "new").stat().st_ino
    (out / "new").chmod(0o600)
    (out / "d/run").write_text("#?")
    os.utime(out / "d/run", (1_700_000_000, 1_700_000_000))
    export_directory(view, "/", out, wipe=False)
    assert ((out / "new").stat().st_ino, (out / "new").stat().st_mode & 0o777) == (inode, 0o644)
    assert (out / "d/run").read_text() == "#!"


def test_another_name_of_a_file_at_the_destination_is_not_touched(view, tmp_path):
    (tmp_path / "precious").write_text("n")
    (tmp_path / "precious").chmod(0o600)
    out = tmp_path / "out"
    out.mkdir()
    (out / "new").hardlink_to(tmp_path / "precious")
    export_directory(view, "/", out, wipe=False)
    assert (tmp_path / "precious").stat().st_mode & 0o777 == 0o600


def test_kinds_are_replaced(view, tmp_path):
    (tmp_path / "new/below").mkdir(parents=True)
    (tmp_path / "d").write_text("a file")
    (tmp_path / "l").mkdir()
    export_directory(view, "/", tmp_path, wipe=False)
    assert ((tmp_path / "new").read_text(), (tmp_path / "d/run").read_text()) == ("n", "#!")
    assert (tmp_path / "l").is_symlink()


def test_links_at_the_destination_lead_nowhere(view, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("safe")
    out = tmp_path / "out"
    out.mkdir()
    (out / "d").symlink_to(victim)
    (out / "new").symlink_to(victim / "file")
    export_directory(view, "/", out, wipe=False)
    assert {path.name: path.read_text() for path in victim.iterdir()} == {"file": "safe"}
    assert (out / "d/run").read_text() == "#!"


def test_wiping_follows_no_link(view, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("safe")
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub/x").symlink_to(victim)
    (out / "y").symlink_to(victim)
    export_directory(view, "/", out, wipe=True)
    assert (victim / "file").exists()
    assert not (out / "y").is_symlink()


def test_the_root_is_never_wiped(view):
    with pytest.raises(InvalidInput) as error:
        export_directory(view, "empty", Path("/"), wipe=True)
    assert error.value.reason == "wipe-root"


def test_a_part(view, tmp_path):
    export_directory(view, "d", tmp_path / "x", wipe=False)
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["closed", "run"]


def test_no_directory(view, tmp_path):
    with pytest.raises(InvalidInput):
        export_directory(view, "new", tmp_path, wipe=False)
    with pytest.raises(NotFound):
        export_directory(view, "nope", tmp_path, wipe=False)


def test_more_directories_side_by_side_than_descriptors(store, tmp_path):
    with store.edit(Tree()) as edit:
        for number in range(1500):
            edit.mkdir(f"d{number}")
    export_directory(store.view(edit.tree), "/", tmp_path / "out", wipe=False)
    assert len(list((tmp_path / "out").iterdir())) == 1500


class TestFile:
    def test_with_its_mode_and_missing_parents(self, view, tmp_path):
        where = export_file(view, "d/run", tmp_path / "sub/b", allow_parent_dir=False)
        assert (where, where.read_text(), where.stat().st_mode & 0o777) == (tmp_path / "sub/b", "#!", 0o755)

    def test_into_a_directory_when_allowed(self, view, tmp_path):
        assert export_file(view, "d/run", tmp_path, allow_parent_dir=True) == tmp_path / "run"

    def test_onto_a_directory_is_refused(self, view, tmp_path):
        with pytest.raises(InvalidInput, match="is a directory; must be a file path unless allowParentDirPath is set"):
            export_file(view, "new", tmp_path, allow_parent_dir=False)

    def test_a_large_one(self, store, tmp_path):
        with store.edit(Tree()) as edit:
            edit.write("big", os.urandom(300_000))
        view = store.view(edit.tree)
        assert export_file(view, "big", tmp_path / "b", allow_parent_dir=False).read_bytes() == view.read("big")

    def test_a_failure_leaves_no_piece(self, view, tmp_path, monkeypatch):
        def fail(*arguments, **options):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("sealane_engine.host.export.os.rename", fail)
        with pytest.raises(HostError):
            export_file(view, "new", tmp_path / "x", allow_parent_dir=False)
        assert [path.name for path in tmp_path.iterdir()] == ["home"]
