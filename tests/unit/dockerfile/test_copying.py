"""What COPY and ADD do to a tree."""

import gzip
import io
import os
import tarfile

import pytest

from sealane_engine.dockerfile.builder import CopyStep
from sealane_engine.dockerfile.copying import copy_into
from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.sandbox.ids import IdRange
from sealane_engine.store.store import Store
from sealane_engine.store.tree import SCRATCH


@pytest.fixture
def store(tmp_path):
    if os.getuid() != 0:
        pytest.skip("needs: root")
    with Store.open(tmp_path / "home", IdRange(0, 65_536)) as opened:
        yield opened


def _archive(**headers):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("../in/file")
        member.size, member.uid = 2, 7
        archive.addfile(member, io.BytesIO(b"hi"))
    return out.getvalue()


@pytest.fixture
def context(store):
    with store.edit(SCRATCH) as edit:
        edit.write("/a.txt", b"a")
        edit.write("/b.txt", b"b", mode=0o755)
        edit.write("/d/x", b"x", uid=5, gid=5)
        edit.write("/d/sub/y", b"y")
        edit.write("/x.tar.gz", gzip.compress(_archive()))
        edit.write("/notes.gz", gzip.compress(b"no archive"))
        edit.symlink("d", "/link")
    return store.view(edit.tree)


@pytest.fixture
def copy(store, context):
    """copy(paths, dest, …) -> [(path, kind, mode, owner)] of the result."""

    def make(paths, dest, *, base=SCRATCH, owner=None, **more):
        step = CopyStep(None, tuple(paths), dest, line=3, **more)
        tree = copy_into(store, base, context, step, owner=owner)
        view = store.view(tree)
        return {
            path.rstrip("/"): (entry.kind, oct(entry.mode), entry.uid) for path, entry in view.walk("/") if path != "/"
        }

    return make


def test_a_file_to_a_name_or_into_a_directory(copy):
    assert copy(["a.txt"], "/n/c") == {"/n": ("dir", "0o755", 0), "/n/c": ("file", "0o644", 0)}
    assert "/n/a.txt" in copy(["a.txt"], "/n/")


def test_a_directory_gives_its_contents(copy):
    assert set(copy(["d"], "/w")) == {"/w", "/w/x", "/w/sub", "/w/sub/y"}
    assert set(copy(["link"], "/w/")) == {"/w", "/w/x", "/w/sub", "/w/sub/y"}


def test_what_is_copied_belongs_to_root_unless_someone_is_named(copy):
    assert copy(["d"], "/w")["/w/x"] == ("file", "0o644", 0)
    made = copy(["d"], "/w/deep/", owner=(9, 9), mode="700")
    assert made["/w/deep/x"] == ("file", "0o700", 9)
    assert made["/w/deep"][2] == made["/w"][2] == 9


def test_a_destination_that_is_there_keeps_its_owner(store, copy):
    with store.edit(SCRATCH) as edit:
        edit.mkdir("/app", 0o755)
    made = copy(["."], "/app/", base=edit.tree, owner=(9, 9))
    assert made["/app"][2] == 0
    assert made["/app/a.txt"][2] == made["/app/d"][2] == 9


def test_patterns_and_several_sources(copy):
    assert set(copy(["*.txt", "d/x"], "/o/")) == {"/o", "/o/a.txt", "/o/b.txt", "/o/x"}


def test_here_documents(copy):
    assert copy([], "/run.sh", files=(("EOF", "echo"),), mode="755") == {"/run.sh": ("file", "0o755", 0)}


def test_add_unpacks_archives_and_nothing_else(copy):
    made = copy(["x.tar.gz", "notes.gz"], "/u/", unpack=True)
    assert set(made) == {"/u", "/u/in", "/u/in/file", "/u/notes.gz"}
    assert made["/u/in/file"][2] == 7
    assert set(copy(["x.tar.gz"], "/u/")) == {"/u", "/u/x.tar.gz"}


def test_excluded_names(copy):
    assert set(copy(["d"], "/o/", exclude=("sub",))) == {"/o", "/o/x"}


@pytest.mark.parametrize("path", ["nope", "d/nope"])
def test_a_source_that_is_missing_is_named_with_its_line(copy, path):
    with pytest.raises(NotFound, match="line 3") as caught:
        copy([path], "/o/")
    assert caught.value.reason == "copy-source-missing"


def test_a_pattern_may_mean_nothing(copy):
    assert set(copy(["a.txt", "*.lock"], "/o/")) == {"/o", "/o/a.txt"}


def test_a_mode_that_is_none_is_refused(copy):
    with pytest.raises(InvalidInput, match="line 3"):
        copy(["a.txt"], "/o/", mode="89")
