"""The 33 breakouts that containerd names in its archive tests, each as a layer on a layer: what the image then shows.

The expectations are theirs; where the specification leaves a choice, ours is noted. Whatever happens, a directory
outside is as it was (the fixture `victim`).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from sealane_engine.errors import ImageError
from sealane_engine.oci import apply
from sealane_engine.store.store import Store
from sealane_engine.store.tree import SCRATCH

INSIDE = [("dir", "etc"), ("file", "etc/passwd", "inside")]
UP = "../" * 12


@dataclass(frozen=True)
class Breakout:
    """Entries of a layer on a layer with `below`; then `texts` by path, paths that are `same` file, and `gone` ones."""

    entries: list[tuple[str, ...]]
    below: tuple[tuple[str, ...], ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    same: tuple[str, str] | None = None
    gone: tuple[str, ...] = ()
    refused: bool = False


def linked(*entries: tuple[str, ...], link: str, below: tuple[tuple[str, ...], ...] = ()) -> Breakout:
    """`link` must end up as the file /etc/passwd of the image."""
    return Breakout(list(entries), below, same=(link, "/etc/passwd"), texts=(("/etc/passwd", "inside"),))


SAFE = (("/etc/passwd", "all users"),)
USERS = (("dir", "etc"), ("file", "etc/passwd", "all users"))

BREAKOUTS = {
    "SymlinkAbsolute": Breakout(
        [("dir", "etc"), ("link", "localetc", "/etc"), ("file", "/localetc/unbroken", "yes")],
        texts=(("/etc/unbroken", "yes"),),
    ),
    "SymlinkUpAndOut": Breakout(
        [
            ("dir", "etc"),
            ("dir", "dummy"),
            ("link", "localetc", "/dummy/../etc"),
            ("file", "/localetc/unbroken", "yes"),
        ],
        texts=(("/etc/unbroken", "yes"),),
    ),
    "SymlinkMultipleAbsolute": Breakout(
        [
            ("dir", "etc"),
            ("dir", "dummy"),
            ("link", "/dummy/etc", "/etc"),
            ("link", "localetc", "/dummy/etc"),
            ("file", "/dummy/etc/unbroken", "yes"),
        ],
        texts=(("/etc/unbroken", "yes"), ("/localetc/unbroken", "yes")),
    ),
    "SymlinkMultipleRelative": Breakout(
        [
            ("dir", "etc"),
            ("dir", "dummy"),
            ("link", "/dummy/etc", "/etc"),
            ("link", "localetc", "./dummy/etc"),
            ("file", "/dummy/etc/unbroken", "yes"),
        ],
        texts=(("/etc/unbroken", "yes"), ("/localetc/unbroken", "yes")),
    ),
    "SymlinkEmptyFile": Breakout(
        [
            ("dir", "etc"),
            ("file", "etc/emptied", "full"),
            ("link", "localetc", "/etc"),
            ("file", "/localetc/emptied", ""),
        ],
        texts=(("/etc/emptied", ""),),
    ),
    "HardlinkRelative": linked(
        *INSIDE, ("dir", "b"), ("link", "b/d1", "../../etc"), ("hard", "b/mine", "/b/d1/passwd"), link="/b/mine"
    ),
    "HardlinkDownAndOut": linked(
        *INSIDE,
        ("dir", "b"),
        ("dir", "down"),
        ("link", "b/d1", "../down/../../etc"),
        ("hard", "b/mine", "/b/d1/passwd"),
        link="/b/mine",
    ),
    "HardlinkAbsolute": linked(
        *INSIDE, ("link", "localetc", "/etc"), ("hard", "mine", "/localetc/passwd"), link="/mine"
    ),
    "HardlinkRelativeLong": linked(
        *INSIDE, ("link", "localetc", f"{UP}etc"), ("hard", "mine", "/localetc/passwd"), link="/mine"
    ),
    "HardlinkRelativeUpAndOut": linked(
        *INSIDE, ("link", "localetc", "up/../../../etc"), ("hard", "mine", "/localetc/passwd"), link="/mine"
    ),
    "HardlinkDirectRelative": linked(*INSIDE, ("hard", "mine", f"{UP}etc/passwd"), link="/mine"),
    "HardlinkDirectAbsolute": linked(*INSIDE, ("hard", "mine", "/etc/passwd"), link="/mine"),
    "SymlinkParentDirectory": linked(*INSIDE, ("link", "..", "/etc/"), ("hard", "mine", "/etc/passwd"), link="/mine"),
    "SymlinkEmptyFilename": linked(*INSIDE, ("link", "", "/etc/"), ("hard", "mine", "/etc/passwd"), link="/mine"),
    # `localetc/sub/..` is localetc: a link to /etc there, and the hard link lands in /etc
    "SymlinkParentRelative": linked(
        *INSIDE, ("link", "localetc/sub/..", "/etc/"), ("hard", "/localetc/mine", "/etc/passwd"), link="/localetc/mine"
    ),
    "SymlinkSlashEnded": linked(
        *INSIDE, ("dir", "localetc/"), ("hard", "/localetc/mine", "/etc/passwd"), link="/localetc/mine"
    ),
    "SymlinkOverrideDirectory": linked(
        ("link", "localetc", "/etc"),
        ("hard", "/localetc/mine", "/etc/passwd"),
        below=(*INSIDE, ("dir", "localetc")),
        link="/localetc/mine",
    ),
    "SymlinkOverrideDirectoryRelative": linked(
        ("link", "localetc", "../../etc"),
        ("hard", "/localetc/mine", "/etc/passwd"),
        below=(*INSIDE, ("dir", "localetc")),
        link="/localetc/mine",
    ),
    "DirectoryOverrideSymlink": linked(
        ("dir", "/localetc"),
        ("hard", "/localetc/mine", "/etc/passwd"),
        below=(*INSIDE, ("link", "localetc", "/etc")),
        link="/localetc/mine",
    ),
    "DirectoryOverrideSymlinkAndHardlink": Breakout(
        [("dir", "/localetc"), ("file", "/localetc/mine", "different")],
        below=(*INSIDE, ("link", "localetc", "etc"), ("hard", "/localetc/mine", "/etc/passwd")),
        texts=(("/localetc/mine", "different"), ("/etc/passwd", "inside"), ("/etc/mine", "inside")),
    ),
    "WhiteoutRootParent": Breakout([("file", ".wh...", "")], USERS, texts=SAFE, refused=True),
    "WhiteoutParent": Breakout([("file", "etc/.wh...", "")], USERS, texts=SAFE, refused=True),
    "WhiteoutRoot": Breakout([("file", ".wh..", "")], USERS, texts=SAFE, refused=True),
    "WhiteoutCurrentDirectory": Breakout([("file", "etc/.wh..", "")], USERS, texts=SAFE, refused=True),
    "WhiteoutSymlink": Breakout(
        [("file", ".wh.localetc", "")], (*USERS, ("link", "localetc", "/etc")), texts=SAFE, gone=("/localetc",)
    ),
    "WhiteoutSymlinkPath": Breakout(
        [("file", "localetc/.wh.whitedout", "")],
        (*USERS, ("file", "etc/whitedout", "ahhhh"), ("link", "localetc", "/etc")),
        texts=SAFE,
        gone=("/etc/whitedout",),
    ),
    "WhiteoutDirectoryName": Breakout(
        [("file", ".wh.etc/somefile", "non-empty")], USERS, texts=(*SAFE, ("/.wh.etc/somefile", "non-empty"))
    ),
    "WhiteoutDeadSymlinkParent": Breakout(
        [("file", "localetc/.wh.etc", "")], (*USERS, ("link", "localetc", "/dne")), texts=SAFE
    ),
    "WhiteoutRelativePath": Breakout([("file", "dne/../.wh.etc", "")], USERS, gone=("/etc/passwd", "/etc")),
    "SymlinkOverridePath": Breakout(
        [
            ("dir", "foo"),
            ("dir", "foo/tmp"),
            ("file", "foo/tmp/x", "1"),
            ("link", "foo", "/"),
            ("file", "foo/tmp/x", "2"),
            ("dir", "foo"),
            ("dir", "foo/tmp"),
            ("file", "foo/tmp/x", "3"),
        ],
        texts=(("/foo/tmp/x", "3"), ("/tmp/x", "2")),
    ),
    "HardlinkSymlinkBeforeCreateTarget": Breakout(
        [("dir", "etc"), ("link", "mine", "/etc/passwd"), ("hard", "copy", "mine"), ("file", "/etc/passwd", "after")],
        same=("/copy", "/etc/passwd"),
        texts=(("/copy", "after"),),
    ),
    "HardlinkSymlinkRelative": linked(
        *INSIDE, ("link", "passwdlink", f"{UP}etc/passwd"), ("hard", "mine", "/passwdlink"), link="/mine"
    ),
    "HardlinkSymlinkAbsolute": linked(
        *INSIDE, ("link", "passwdlink", "/etc/passwd"), ("hard", "mine", "/passwdlink"), link="/mine"
    ),
    "HardlinkSymlinkChmod": Breakout(
        [("link", "{victim}/new", "{victim}/canary"), ("hard", "sketchy", "{victim}/new"), ("file", "sketchy", "mode")],
        texts=(("/sketchy", "mode"),),
    ),
}


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


@pytest.mark.parametrize("name", BREAKOUTS)
def test_a_layer_stays_in_its_image(name, put):
    case = BREAKOUTS[name]
    tree = put(SCRATCH, case.below) if case.below else SCRATCH
    with pytest.raises(ImageError) if case.refused else contextlib.nullcontext():
        tree = put(tree, case.entries)
    view = put.store.view(tree)
    assert {path: view.read(path).decode() for path, _ in case.texts} == dict(case.texts)
    assert [path for path in case.gone if view.lstat(path) is not None] == []
    if case.same is not None:
        one, other = (view.stat(path) for path in case.same)
        assert one is not None
        assert other is not None
        assert Path(one.real).samefile(other.real)


WHITEOUTS = {
    "a file": ([("file", ".wh.a", "")], {"/d": "/", "/d/x": "x", "/d/s": "/", "/d/s/y": "y"}),
    "a directory": ([("file", ".wh.d", "")], {"/a": "a"}),
    "in a directory": ([("file", "d/.wh.s", "")], {"/a": "a", "/d": "/", "/d/x": "x"}),
    "of what is not there": (
        [("file", "d/.wh.no", "")],
        {"/a": "a", "/d": "/", "/d/x": "x", "/d/s": "/", "/d/s/y": "y"},
    ),
    "then anew": (
        [("file", ".wh.d", ""), ("dir", "d"), ("file", "d/new", "n")],
        {"/a": "a", "/d": "/", "/d/new": "n"},
    ),
    "after what is new": (
        [("dir", "d"), ("file", "d/new", "n"), ("file", ".wh.d", "")],
        {"/a": "a", "/d": "/", "/d/new": "n"},
    ),
    "opaque first": (
        [("dir", "d"), ("file", "d/.wh..wh..opq", ""), ("file", "d/new", "n")],
        {"/a": "a", "/d": "/", "/d/new": "n"},
    ),
    "opaque last": (
        [("dir", "d"), ("file", "d/new", "n"), ("file", "d/.wh..wh..opq", "")],
        {"/a": "a", "/d": "/", "/d/new": "n"},
    ),
    "opaque root": ([("file", ".wh..wh..opq", ""), ("file", "new", "n")], {"/new": "n"}),
    "a file where a directory was": ([("file", "d", "f")], {"/a": "a", "/d": "f"}),
    "a directory where a file was": (
        [("dir", "a"), ("file", "a/b", "b")],
        {"/a": "/", "/a/b": "b", "/d": "/", "/d/x": "x", "/d/s": "/", "/d/s/y": "y"},
    ),
    "a link where a directory was": (
        [("link", "d", "a")],
        {"/a": "a", "/d": "a"},
    ),
    "bookkeeping of aufs": (
        [("dir", ".wh..wh.plnk"), ("file", ".wh..wh.aufs", "")],
        {"/a": "a", "/d": "/", "/d/x": "x", "/d/s": "/", "/d/s/y": "y"},
    ),
}


@pytest.mark.parametrize("name", WHITEOUTS)
def test_whiteouts_hide_what_lies_below_and_nothing_else(name, put):
    entries, expected = WHITEOUTS[name]
    below = put(
        SCRATCH, [("file", "a", "a"), ("dir", "d"), ("file", "d/x", "x"), ("dir", "d/s"), ("file", "d/s/y", "y")]
    )
    view = put.store.view(put(below, entries))
    found = {}
    for path, entry in view.walk("/"):
        if path != "/":
            found[path] = "/" if entry.kind == "dir" else view.read(path).decode()
    assert found == expected
