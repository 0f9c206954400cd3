"""A layer's tar stream: always the same bytes, and applied again it is the same layer."""

import io
import os
import stat

from sealane_engine.oci import apply, diff, xattrs
from sealane_engine.sandbox.ids import IdRange


def fill(root):
    (root / "d").mkdir()
    (root / "d/f").write_text("x")
    os.link(root / "d/f", root / "h")
    (root / "l").symlink_to("d/f")
    os.mknod(root / "gone", stat.S_IFCHR | 0o600, 0)
    (root / "o").mkdir()
    os.setxattr(root / "o", "user.overlay.opaque", b"y")
    os.setxattr(root / "o", "user.mine", b"1\xff")
    for path in (*root.rglob("*"), root):
        os.utime(path, (1_000_000_000, 1_000_000_000), follow_symlinks=False)


def test_a_layer_survives_the_way_there_and_back(tmp_path, ids):
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    fill(first)
    stream = io.BytesIO()
    diff.write(first, stream, ids)
    apply.apply(io.BytesIO(stream.getvalue()), second, ids)
    assert diff.digest(first, ids) == diff.digest(second, ids)
    assert os.getxattr(second / "o", "user.overlay.opaque") == b"y"
    assert os.getxattr(second / "o", "user.mine") == b"1\xff"
    assert (second / "h").stat().st_nlink == 2


def test_the_order_on_disk_does_not_count(tmp_path, ids):
    digests = set()
    for order in ("abc", "cab"):
        root = tmp_path / order
        root.mkdir(mode=0o755)
        for name in order:
            (root / name).write_text(name)
        for path in (*root.iterdir(), root):
            os.utime(path, (1, 1))
        digests.add(diff.digest(root, ids))
    assert len(digests) == 1


def test_file_capabilities_carry_the_steps_root_inside_only():
    version_2 = bytes.fromhex("0100000200200000000000000000000000000000")
    stored = xattrs.incoming(xattrs.CAPABILITY, version_2, IdRange(0x70000000))
    assert stored is not None
    assert stored == bytes.fromhex("01000003") + version_2[4:] + (0x70000000).to_bytes(4, "little")
    assert xattrs._to_v2(stored) == version_2


def test_attributes_that_mean_something_to_the_host_are_dropped():
    ids = IdRange(0x70000000)
    for name in ("user.overlay.opaque", "trusted.overlay.redirect", "security.selinux", "system.posix_acl_access"):
        assert xattrs.incoming(name, b"x", ids) is None
