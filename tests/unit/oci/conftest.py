"""Tar streams made of short descriptions, applied without root: ids are shifted to this user's own."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

from sealane_engine.oci import apply
from sealane_engine.sandbox.ids import IdRange


@pytest.fixture
def ids():
    if os.getuid() != os.getgid():
        pytest.skip("needs a user whose group has the same number")
    return IdRange(os.getuid(), 1)


@pytest.fixture
def tar():
    """tar(("dir", "a/"), ("file", "a/f", "text"), ("link", "name", "target"), …) -> the stream's bytes."""

    def make(*entries, **headers) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for kind, name, *rest in entries:
                member = tarfile.TarInfo(name)
                member.mtime, member.mode = 1_000_000_000, 0o755 if kind == "dir" else 0o644
                member.pax_headers = dict(headers)
                data = b""
                if kind == "dir":
                    member.type = tarfile.DIRTYPE
                elif kind == "file":
                    data = (rest or ["content"])[0].encode()
                    member.size = len(data)
                elif kind == "link":
                    member.type, member.linkname = tarfile.SYMTYPE, rest[0]
                elif kind == "hard":
                    member.type, member.linkname = tarfile.LNKTYPE, rest[0]
                elif kind == "fifo":
                    member.type = tarfile.FIFOTYPE
                else:
                    member.type = tarfile.CHRTYPE if kind == "char" else tarfile.BLKTYPE
                    member.devmajor, member.devminor = rest
                archive.addfile(member, io.BytesIO(data))
        return out.getvalue()

    return make


@pytest.fixture
def layer(tmp_path, ids):
    """layer(stream, …) applies a stream to a new directory beside a victim that must stay as it is."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "canary").write_text("untouched")

    def make(stream: bytes, **options):
        target = tmp_path / "deep" / "down" / "layer"
        target.mkdir(parents=True)
        done = apply.apply(io.BytesIO(stream), target, ids, **options)
        return target, done

    yield make
    assert [path.name for path in victim.iterdir()] == ["canary"]
    assert (victim / "canary").read_text() == "untouched"
    assert (victim / "canary").stat().st_nlink == 1
    assert sorted(path.name for path in tmp_path.iterdir()) in (["victim"], ["deep", "victim"])
