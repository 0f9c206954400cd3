"""A layer's stream never reaches outside its directory, and whiteouts mean what the specification says."""

import contextlib
import io
import os
import stat
import tarfile
from dataclasses import dataclass

import pytest

from sealane_engine.errors import ImageError
from sealane_engine.oci.apply import Archive
from sealane_engine.oci.limits import LayerLimits

UP = "../../../../victim"


def names(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def is_whiteout(path):
    facts = path.lstat()
    return stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0


def is_opaque(path):
    try:
        return os.getxattr(path, "user.overlay.opaque") == b"y"
    except OSError:
        return False


HOSTILE = {
    "absolute name": [("file", "/victim/canary")],
    "parents": [("file", f"{UP}/canary")],
    "parents in the middle": [("file", f"a/b/{UP}/../../canary")],
    "directory of parents": [("dir", UP)],
    "link to parents, file through it": [("link", "l", UP), ("file", "l/canary")],
    "link to parents, directory over it": [("link", "l", UP), ("dir", "l"), ("file", "l/canary")],
    "link to parents, file over it": [("link", "l", f"{UP}/canary"), ("file", "l")],
    "absolute link, file through it": [("link", "l", "/"), ("file", "l/victim/canary")],
    "chain of links": [("link", "a", "b"), ("link", "b", "c"), ("link", "c", UP), ("file", "a/canary")],
    "link in a directory": [("dir", "d"), ("link", "d/l", f"../{UP}"), ("file", "d/l/canary")],
    "directory turned into a link": [("dir", "d"), ("file", "d/x"), ("link", "d", UP), ("file", "d/canary")],
    "hard link to parents": [("file", "x"), ("hard", "h", f"{UP}/canary")],
    "hard link through a link": [("link", "l", UP), ("hard", "h", "l/canary")],
    "hard link to a link, then written": [("link", "l", f"{UP}/canary"), ("hard", "h", "l"), ("file", "h")],
    "hard link onto itself": [("file", "x"), ("hard", "x", "x")],
    "hard link to an absolute name": [("hard", "h", "/etc/passwd")],
    "whiteout of parents": [("file", f"{UP}/.wh.canary")],
    "whiteout through a link": [("link", "l", UP), ("file", "l/.wh.canary")],
    "whiteout of dot dot": [("file", ".wh...")],
    "whiteout of dot": [("file", ".wh..")],
    "whiteout of nothing": [("file", ".wh.")],
    "opaque through a link": [("link", "l", UP), ("file", "l/.wh..wh..opq")],
    "opaque above the root": [("file", f"{UP}/.wh..wh..opq")],
    "root as a link": [("link", "/", UP), ("file", "canary")],
    "root as a file": [("file", "."), ("file", "canary")],
    "link loop": [("link", "a", "b"), ("link", "b", "a"), ("file", "a/x")],
    "empty name": [("file", "")],
    "only slashes": [("dir", "///"), ("file", "///x")],
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_escapes(entries, tar, layer):
    with contextlib.suppress(ImageError):  # refused is as good as kept inside
        layer(tar(*entries))


def test_links_are_followed_in_the_image_only(tar, layer):
    target, _ = layer(tar(("link", "l", "/opt/../usr"), ("file", "l/f", "x")))
    assert (target / "usr/f").read_text() == "x"
    assert str((target / "l").readlink()) == "/opt/../usr"


def test_what_a_stream_says_is_what_the_directory_has(tar, layer):
    target, done = layer(
        tar(("dir", "d"), ("file", "d/f", "x"), ("link", "l", "d/f"), ("hard", "h", "d/f"), ("fifo", "p"), ("dir", "."))
    )
    assert names(target) == ["d", "d/f", "h", "l", "p"]
    assert (target / "h").stat().st_ino == (target / "d/f").stat().st_ino
    assert stat.S_ISFIFO((target / "p").lstat().st_mode)
    assert (target / "d").stat().st_mtime == (target / "d/f").stat().st_mtime == 1_000_000_000
    assert done.entries == 6


def test_the_later_entry_wins(tar, layer):
    target, _ = layer(
        tar(("file", "x", "1"), ("file", "x", "2"), ("dir", "d"), ("file", "d/f"), ("file", "d", "now a file"))
    )
    assert (target / "x").read_text() == "2"
    assert (target / "d").read_text() == "now a file"


def test_whiteouts(tar, layer):
    target, _ = layer(
        tar(("file", "d/.wh.gone"), ("file", "o/.wh..wh..opq"), ("file", "o/new"), ("file", ".wh..wh.plnk"))
    )
    assert is_whiteout(target / "d/gone")
    assert is_opaque(target / "o")
    assert names(target) == ["d", "d/gone", "o", "o/new"]


def test_a_whiteout_speaks_of_the_layers_below_only(tar, layer):
    target, _ = layer(tar(("file", "f"), ("file", ".wh.f"), ("dir", "d"), ("file", "d/x"), ("file", ".wh.d")))
    assert (target / "f").read_text() == "content"
    assert (target / "d/x").exists()
    assert is_opaque(target / "d")


def test_a_directory_made_anew_does_not_show_the_old(tar, layer):
    target, _ = layer(tar(("file", ".wh.d"), ("dir", "d"), ("file", ".wh.e"), ("file", "e/x")))
    assert is_opaque(target / "d")
    assert is_opaque(target / "e")


def test_device_nodes_are_left_out(tar, layer):
    target, done = layer(tar(("char", "null", 1, 3), ("block", "disk", 8, 0), ("char", "forged-whiteout", 0, 0)))
    assert names(target) == []
    assert done.skipped == ["null", "disk", "forged-whiteout"]


def test_setuid_survives_and_attributes_of_overlayfs_do_not(tar, layer):
    headers = {
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.user.k": "v",
    }
    target, _ = layer(tar(("dir", "d"), **headers))
    assert not is_opaque(target / "d")
    assert os.getxattr(target / "d", "user.k") == b"v"


def test_set_id_bits_survive_and_an_attribute_of_another_kind_does_not(layer):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("su")
        member.mode = 0o6755
        member.pax_headers = {"SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.security.selinux": "x"}
        archive.addfile(member)
    target, _ = layer(out.getvalue())
    assert (target / "su").stat().st_mode & 0o7777 == 0o6755
    assert os.listxattr(target / "su") == []


def test_a_header_names_its_file_in_the_image_however_it_is_written(layer):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("harmless")
        member.pax_headers = {"path": f"{UP}/canary", "linkpath": "/etc/passwd"}
        archive.addfile(member)
    target, _ = layer(out.getvalue())
    assert names(target) == ["victim", "victim/canary"]


def test_a_sparse_file_counts_as_large_as_it_says(layer):
    header = bytearray(tarfile.TarInfo("sparse").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % (2 << 30)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(ImageError) as caught:
        layer(bytes(header) + bytes(1024), limits=LayerLimits(total_bytes=1 << 30))
    assert caught.value.reason == "layer-too-large"


def test_a_path_of_300_directories_is_refused(tar, layer):
    with pytest.raises(ImageError, match="256 directory levels") as caught:
        layer(tar(("file", "d/" * 300 + "f")))
    assert caught.value.reason == "layer-too-large"


def test_an_archive_is_unpacked_into_its_place(tar, layer):
    target, _ = layer(tar(("dir", "."), ("file", ".wh.x"), ("file", "../../y")), archive=Archive("/a/b"))
    assert names(target) == ["a", "a/b", "a/b/.wh.x", "a/b/y"]


@pytest.mark.parametrize(
    "limits", [LayerLimits(entries=2), LayerLimits(total_bytes=10), LayerLimits(depth=2), LayerLimits(path_bytes=4)]
)
def test_limits_hold(limits, tar, layer):
    with pytest.raises(ImageError) as caught:
        layer(tar(("dir", "a"), ("dir", "a/b"), ("file", "a/b/c", "x" * 20)), limits=limits)
    assert caught.value.reason in ("layer-too-large", "bad-layer")


def test_a_header_that_would_fill_the_memory_is_refused(layer):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 8 << 30
    with pytest.raises(ImageError) as caught:
        layer(header.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)
    assert caught.value.reason == "layer-too-large"


@pytest.mark.parametrize("cut", [100, 700, 1100])
def test_a_stream_that_ends_early_is_refused(cut, tar, layer):
    with pytest.raises(ImageError):
        layer(tar(("file", "a", "x" * 600), ("file", "b", "y" * 600))[:cut])


def test_no_stream_at_all_is_refused(layer):
    with pytest.raises(ImageError):
        layer(b"<html>not a layer</html>" * 100)


@dataclass(frozen=True)
class _Entry:
    kind: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 5_000_000_000


class _Lower:
    def __init__(self, entries, links=None):
        self.entries, self.links = entries, links or {}

    def lstat(self, path):
        return self.entries.get(path)

    def listdir(self, path):
        return [name[1:] for name in self.entries if name.count("/") == 1]

    def readlink(self, path):
        return self.links[path]

    def open(self, path):
        return io.BytesIO(b"from below")


def test_parents_are_those_of_the_layers_below(tar, layer):
    lower = _Lower(
        {"/lib": _Entry("symlink"), "/usr": _Entry("dir"), "/usr/lib": _Entry("dir", 0o700)}, {"/lib": "usr/lib"}
    )
    target, _ = layer(tar(("file", "lib/new")), lower=lower)
    assert names(target) == ["usr", "usr/lib", "usr/lib/new"]
    assert (target / "usr/lib").stat().st_mode & 0o777 == 0o700


def test_a_hard_link_to_a_file_below_brings_it_up(tar, layer):
    target, _ = layer(tar(("hard", "h", "f")), lower=_Lower({"/f": _Entry("file", 0o640)}))
    assert (target / "h").read_bytes() == b"from below"
    assert (target / "h").stat().st_nlink == 2
