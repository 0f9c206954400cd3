"""Write a layer of the store as a tar stream: the same layer gives the same bytes, whenever and wherever it is written.

Entries are sorted; owners are the image's; times are whole seconds; whiteouts and opaque directories are OCI's. With a
`Normal`, what would differ in another build of the same source is left out or replaced.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from typing import TYPE_CHECKING, BinaryIO

from sealane_engine.oci import xattrs
from sealane_engine.oci.apply import WHITEOUT_OPAQUE, WHITEOUT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sealane_engine.oci.normal import Normal
    from sealane_engine.sandbox.ids import IdRange

_CHUNK = 1 << 20


class Digester(io.RawIOBase):
    """A sink that hashes and counts what passes through to another sink (or nowhere)."""

    def __init__(self, sink: BinaryIO | None = None) -> None:
        self._hash = hashlib.sha256()
        self._sink = sink
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._hash.update(view)
        self.size += len(view)
        if self._sink is not None:
            self._sink.write(view)
        return len(view)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def write(layer: Path, sink: BinaryIO, ids: IdRange, normal: Normal | None = None) -> int:
    """Write one layer directory to `sink` as a tar stream; answers its newest modification time, in seconds."""
    with tarfile.open(fileobj=sink, mode="w|", bufsize=1 << 18, format=tarfile.PAX_FORMAT) as archive:
        return _write_layer(archive, layer, ids, normal)


def digest(layer: Path, ids: IdRange) -> tuple[str, int]:
    """The diff id of a layer and the size of its tar stream, without writing it anywhere."""
    sink = Digester()
    write(layer, sink, ids)  # type: ignore[arg-type]
    return sink.digest, sink.size


def _write_layer(archive: tarfile.TarFile, root: Path, ids: IdRange, normal: Normal | None) -> int:
    seen: dict[tuple[int, int], str] = {}
    newest = 0
    for path, name, status in _walk(str(root)):
        if stat.S_ISSOCK(status.st_mode) or (normal is not None and normal.drops(name)):
            continue
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            archive.addfile(_marker(_sibling(name, WHITEOUT_PREFIX + os.path.basename(name))))
            continue
        member = _member(path, name, status, ids)
        if normal is not None:
            member.mtime = normal.epoch
        newest = max(newest, int(member.mtime))
        if stat.S_ISREG(status.st_mode):
            identity = status.st_dev, status.st_ino
            first = seen.setdefault(identity, name) if status.st_nlink > 1 else name
            if first != name:
                member.type, member.linkname, member.size = tarfile.LNKTYPE, first, 0
                archive.addfile(member)
                continue
            _add_file(archive, member, path, normal)
            continue
        archive.addfile(member)
        if stat.S_ISDIR(status.st_mode) and _is_opaque(path):
            archive.addfile(_marker(f"{name}/{WHITEOUT_OPAQUE}" if name != "." else WHITEOUT_OPAQUE))
    return newest


def _add_file(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, normal: Normal | None) -> None:
    data = normal.content(member.name, path) if normal is not None else None
    if data is not None:
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
        return
    with open(path, "rb", buffering=0) as source:
        archive.addfile(member, source)


def _walk(root: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """(path on disk, name in the archive, status), sorted so that a directory comes right before what it holds."""
    yield root, ".", os.lstat(root)
    stack = [(root, "")]
    pending: list[Iterator[os.DirEntry[str]]] = [iter(_sorted(root))]
    while pending:
        entry = next(pending[-1], None)
        if entry is None:
            pending.pop()
            stack.pop()
            continue
        name = f"{stack[-1][1]}{entry.name}"
        status = entry.stat(follow_symlinks=False)
        yield entry.path, name, status
        if stat.S_ISDIR(status.st_mode):
            stack.append((entry.path, f"{name}/"))
            pending.append(iter(_sorted(entry.path)))


def _sorted(directory: str) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _member(path: str, name: str, status: os.stat_result, ids: IdRange) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    mode = status.st_mode
    member.mode = stat.S_IMODE(mode)
    member.uid, member.gid = ids.inner(status.st_uid), ids.inner(status.st_gid)
    member.mtime = status.st_mtime_ns // 1_000_000_000
    if stat.S_ISDIR(mode):
        member.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISFIFO(mode):
        member.type = tarfile.FIFOTYPE
    elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        member.type = tarfile.CHRTYPE if stat.S_ISCHR(mode) else tarfile.BLKTYPE
        member.devmajor, member.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    else:
        member.size = status.st_size
    if not stat.S_ISLNK(mode):
        member.pax_headers = {
            f"{xattrs.PAX_PREFIX}{key}": value.decode("utf-8", "surrogateescape")
            for key, value in xattrs.outgoing(path)
        }
    return member


def _marker(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode = 0o644
    return member


def _sibling(name: str, other: str) -> str:
    parent = os.path.dirname(name)
    return f"{parent}/{other}" if parent else other


def _is_opaque(path: str) -> bool:
    try:
        return os.getxattr(path, xattrs.OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False
