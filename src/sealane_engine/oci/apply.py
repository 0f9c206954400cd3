"""Apply one layer's tar stream to a directory of the store, as a delta in overlayfs form.

The stream is hostile until proven otherwise. No name of it is ever given to the kernel as a path: parents are resolved
component by component in the image's own root (the layers below, then what this layer brought), links included, and
every change is made through a descriptor of a real directory, one name at a time, never following a link.

A whiteout becomes a character device 0:0, an opaque directory carries `user.overlay.opaque`; owners are shifted to the
steps' ids. Device nodes are left out: a sandbox brings its own /dev.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from sealane_engine.errors import ImageError
from sealane_engine.oci import xattrs
from sealane_engine.oci.limits import LayerLimits, too_large
from sealane_engine.oci.lower import Nothing

if TYPE_CHECKING:
    from pathlib import Path

    from sealane_engine.oci.lower import Lower
    from sealane_engine.sandbox.ids import IdRange

WHITEOUT_PREFIX = ".wh."
WHITEOUT_META = ".wh..wh."
WHITEOUT_OPAQUE = ".wh..wh..opq"
MAX_LINKS = 40
MAX_HEADER_BYTES = 1 << 20
_EXTENSIONS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
_IMPOSSIBLE = frozenset(
    {
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.ELOOP,
        errno.EEXIST,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENOTEMPTY,
        errno.EMLINK,
    }
)
_CHUNK = 1 << 20
_MAX_TIME = 1 << 34
_DIR_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Archive:
    """Where an archive is unpacked, and whose its files are (None: as it says)."""

    path: str
    owner: tuple[int, int] | None = None


@dataclass(slots=True)
class Applied:
    """What an application did."""

    entries: int = 0
    total_bytes: int = 0
    skipped: list[str] = field(default_factory=list)


def apply(
    stream: BinaryIO,
    target: Path,
    ids: IdRange,
    *,
    lower: Lower | None = None,
    limits: LayerLimits | None = None,
    archive: Archive | None = None,
) -> Applied:
    """Apply an uncompressed tar stream to the empty directory `target`; reads the stream to its end.

    `archive`: it is no layer but an archive to unpack somewhere in the image: whiteouts are ordinary names.
    Raises ImageError (`bad-layer`, `layer-too-large`) and leaves a half-filled directory, which the caller discards.
    """
    layer = _Layer(target, ids, lower or Nothing(), limits or LayerLimits(), archive)
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 18, tarinfo=_Member) as source:
            while (member := source.next()) is not None:
                layer.add(source, member)
                source.members = []  # type: ignore[attr-defined]  # a stream's members are kept otherwise: memory without bound
        layer.finish()
    except (tarfile.TarError, EOFError, UnicodeError, ValueError) as error:
        raise ImageError(f"layer is not a valid tar stream: {error}", reason="bad-layer") from error
    except OSError as error:
        if error.errno in _IMPOSSIBLE:
            raise ImageError(f"layer can't be unpacked: {error}", reason="bad-layer") from error
        raise
    finally:
        layer.close()
    while stream.read(_CHUNK):  # padding after the end marker: part of the digest
        pass
    return layer.applied


class _Member(tarfile.TarInfo):
    """A header whose extensions are bounded: they are read into memory whole."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENSIONS and self.size > MAX_HEADER_BYTES:
            raise ImageError(f"layer has a header of {self.size} bytes", reason="layer-too-large")
        result: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return result


class _Layer:
    def __init__(self, target: Path, ids: IdRange, lower: Lower, limits: LayerLimits, archive: Archive | None) -> None:
        self.ids, self.lower, self.limits, self.archive = ids, lower, limits, archive
        self._prefix = self._parts(archive.path) if archive is not None else []
        self.applied = Applied()
        self._root = os.open(target, _DIR_FLAGS)
        self._last: tuple[str, int] | None = None
        self._times: dict[str, int] = {}
        self._opaque: set[str] = set()

    def close(self) -> None:
        self._forget()
        os.close(self._root)

    def finish(self) -> None:
        """Directory times last: whatever came into a directory has changed its own."""
        if "/" in self._opaque:
            self._hide_root()
        for path, mtime in sorted(self._times.items(), reverse=True):
            with contextlib.suppress(OSError):  # replaced by something else since
                fd = self._open(path)
                try:
                    os.utime(fd, ns=(mtime, mtime))
                finally:
                    os.close(fd)

    # -------------------------------------------------------------- one member
    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        self.applied.entries += 1
        if self.applied.entries > self.limits.entries:
            raise too_large("entries", self.limits.entries)
        parts = self._inside(member.name)
        if parts == self._prefix:
            if member.isdir() and self.archive is None:
                self._metadata(self._root, member, "/")
                self._times["/"] = _mtime_ns(member)
            return
        parent, name = self._resolve_parent(parts), parts[-1]
        if name.startswith(WHITEOUT_PREFIX) and self.archive is None:
            self._whiteout(parent, name)
            return
        if member.ischr() or member.isblk():
            self.applied.skipped.append("/".join(parts))
            return
        directory = self._directory(parent)
        if member.isdir():
            self._add_directory(directory, parent, name, member)
        elif member.issym():
            self._clear(directory, name)
            os.symlink(member.linkname, name, dir_fd=directory)
            self._metadata_of_link(directory, name, member)
        elif member.islnk():
            self._add_hard_link(directory, parent, name, member)
        elif member.isfifo():
            self._clear(directory, name)
            os.mkfifo(name, 0o600, dir_fd=directory)
            os.chown(name, *self._owner(member), dir_fd=directory, follow_symlinks=False)
            os.chmod(name, member.mode & 0o7777, dir_fd=directory)  # just made: not a link
        elif member.isreg():
            self._add_file(directory, parent, name, archive, member)
        else:
            raise ImageError(f"layer has an entry of unknown type {member.type!r}: {member.name}", reason="bad-layer")

    def _inside(self, name: str) -> list[str]:
        return [*self._prefix, *self._parts(name)]

    def _parts(self, name: str) -> list[str]:
        """The components of a name, `..` and `/` taken relative to the image's root."""
        if "\0" in name or len(os.fsencode(name)) > self.limits.path_bytes:
            raise ImageError(f"layer has an impossible file name of {len(name)} characters", reason="bad-layer")
        parts: list[str] = []
        for part in name.split("/"):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        if len(parts) > self.limits.depth:
            raise too_large("directory levels", self.limits.depth)
        return parts

    def _add_directory(self, directory: int, parent: str, name: str, member: tarfile.TarInfo) -> None:
        path = _join(parent, name)
        there = _lstat(directory, name)
        if there is None or not stat.S_ISDIR(there.st_mode):
            replaced = _is_whiteout(there)
            self._clear(directory, name)
            os.mkdir(name, 0o700, dir_fd=directory)
            if replaced:
                self._make_opaque(path)
        fd = os.open(name, _DIR_FLAGS, dir_fd=directory)
        try:
            self._metadata(fd, member, path)
        finally:
            os.close(fd)
        self._times[path] = _mtime_ns(member)

    def _add_file(
        self, directory: int, parent: str, name: str, archive: tarfile.TarFile, member: tarfile.TarInfo
    ) -> None:
        self.applied.total_bytes += member.size
        if self.applied.total_bytes > self.limits.total_bytes:
            raise too_large("bytes", self.limits.total_bytes)
        self._clear(directory, name)
        source = archive.extractfile(member)
        if source is None:
            raise ImageError(f"layer has no data for {member.name}", reason="bad-layer")
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
        with source, open(fd, "wb") as sink:
            shutil.copyfileobj(source, sink, _CHUNK)
            sink.flush()  # a write that a full disk cut short is an error here; unbuffered it would pass
            if os.fstat(fd).st_size != member.size:
                raise ImageError(f"layer ends inside {member.name}", reason="bad-layer")
            self._metadata(fd, member, _join(parent, name))
            mtime = _mtime_ns(member)
            os.utime(fd, ns=(mtime, mtime))

    def _add_hard_link(self, directory: int, parent: str, name: str, member: tarfile.TarInfo) -> None:
        parts = self._inside(member.linkname)
        if parts == self._prefix:
            raise ImageError(f"layer links {member.name} to nothing", reason="bad-layer")
        source_parent, source_name = self._resolve_parent(parts), parts[-1]
        if (source_parent, source_name) == (parent, name):
            return
        source = self._source_directory(source_parent, source_name, member)
        try:
            there = _lstat(source, source_name)
            if there is not None and stat.S_ISDIR(there.st_mode):
                raise ImageError(f"layer links {member.name} to a directory", reason="bad-layer")
            if (there is None and not self._copy_up(source, source_parent, source_name)) or _is_whiteout(there):
                raise _no_target(member)
            self._clear(directory, name)
            os.link(source_name, name, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
        finally:
            os.close(source)

    def _source_directory(self, parent: str, name: str, member: tarfile.TarInfo) -> int:
        """A descriptor of the directory that a hard link's target is in; made if only the layers below have it."""
        try:
            return self._open(parent)
        except OSError:
            path = _join(parent, name)
            if self._hidden(path) or self.lower.lstat(path) is None:
                raise _no_target(member) from None
            return self._make(parent)

    def _copy_up(self, directory: int, parent: str, name: str) -> bool:
        path = _join(parent, name)
        entry = None if self._hidden(path) else self.lower.lstat(path)
        if entry is None or entry.kind not in ("file", "symlink"):
            return False
        owner = self.ids.outer(entry.uid), self.ids.outer(entry.gid)
        if entry.kind == "symlink":
            os.symlink(self.lower.readlink(path), name, dir_fd=directory)
            os.chown(name, *owner, dir_fd=directory, follow_symlinks=False)
            return True
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
        with self.lower.open(path) as source, open(fd, "wb") as sink:
            shutil.copyfileobj(source, sink, _CHUNK)
            sink.flush()
            os.fchown(fd, *owner)
            os.fchmod(fd, entry.mode & 0o7777)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        return True

    # -------------------------------------------------------------- whiteouts
    def _whiteout(self, parent: str, name: str) -> None:
        if name == WHITEOUT_OPAQUE:
            self._directory(parent)
            if parent == "/":
                self._opaque.add(parent)
            else:
                self._make_opaque(parent)
            return
        if name.startswith(WHITEOUT_META):
            return  # bookkeeping of aufs
        victim = name.removeprefix(WHITEOUT_PREFIX)
        if victim in ("", ".", ".."):
            raise ImageError(f"layer has an impossible whiteout {name!r}", reason="bad-layer")
        directory = self._directory(parent)
        there = _lstat(directory, victim)
        if there is None:
            os.mknod(victim, 0o600 | stat.S_IFCHR, os.makedev(0, 0), dir_fd=directory)
        elif stat.S_ISDIR(there.st_mode):  # a whiteout speaks of the layers below: what this one brought stays
            self._make_opaque(_join(parent, victim))

    def _hide_root(self) -> None:
        """Overlayfs knows no opaque root: what the layers below have there is hidden name by name."""
        for name in self.lower.listdir("/"):
            there = _lstat(self._root, name)
            if there is None:
                os.mknod(name, 0o600 | stat.S_IFCHR, os.makedev(0, 0), dir_fd=self._root)
            elif stat.S_ISDIR(there.st_mode):
                self._make_opaque(f"/{name}")

    def _make_opaque(self, path: str) -> None:
        fd = self._open(path)
        try:
            os.setxattr(fd, xattrs.OPAQUE, b"y")
        finally:
            os.close(fd)
        self._opaque.add(path)

    # -------------------------------------------------------------- metadata
    def _owner(self, member: tarfile.TarInfo) -> tuple[int, int]:
        owner = self.archive.owner if self.archive is not None else None
        uid, gid = owner or (member.uid, member.gid)
        return self.ids.outer(uid), self.ids.outer(gid)

    def _metadata(self, fd: int, member: tarfile.TarInfo, path: str) -> None:
        os.fchown(fd, *self._owner(member))
        os.fchmod(fd, member.mode & 0o7777)  # after the owner: chown clears setuid
        for key, text in member.pax_headers.items():
            if key.startswith(xattrs.PAX_PREFIX):
                name = key.removeprefix(xattrs.PAX_PREFIX)
                value = xattrs.incoming(name, text.encode("utf-8", "surrogateescape"), self.ids)
                if value is None:
                    continue
                try:
                    os.setxattr(fd, name, value)
                except OSError as error:
                    raise ImageError(f"layer sets {name} on {path}: {error.strerror}", reason="bad-layer") from error

    def _metadata_of_link(self, directory: int, name: str, member: tarfile.TarInfo) -> None:
        os.chown(name, *self._owner(member), dir_fd=directory, follow_symlinks=False)
        mtime = _mtime_ns(member)
        os.utime(name, ns=(mtime, mtime), dir_fd=directory, follow_symlinks=False)

    # -------------------------------------------------------------- paths
    def _resolve_parent(self, parts: list[str]) -> str:
        """The real directory in which the last of `parts` lies: links are followed, in the image's root only."""
        real: list[str] = []
        todo = list(reversed(parts[:-1]))
        links = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                del real[-1:]
                continue
            path = "/" + "/".join((*real, part))
            target = self._link(path)
            if target is None:
                real.append(part)
                if len(real) > self.limits.depth:
                    raise too_large("directory levels", self.limits.depth)
                continue
            links += 1
            if links > MAX_LINKS:
                raise ImageError(f"layer has a loop of links at {path}", reason="bad-layer")
            if target.startswith("/"):
                real.clear()
            todo.extend(reversed(target.split("/")))
        return "/" + "/".join(real)

    def _link(self, path: str) -> str | None:
        """The target of a link at `path` (whose parent is real), or None if it is no link."""
        if self._last is not None and (self._last[0] == path or self._last[0].startswith(f"{path}/")):
            return None
        parent, name = os.path.split(path)
        try:
            fd = self._open(parent)
        except FileNotFoundError:
            there = None
        else:
            try:
                there = _lstat(fd, name)
                if there is not None:
                    return os.readlink(name, dir_fd=fd) if stat.S_ISLNK(there.st_mode) else None
            finally:
                os.close(fd)
        if self._hidden(path):
            return None
        entry = self.lower.lstat(path)
        return self.lower.readlink(path) if entry is not None and entry.kind == "symlink" else None

    def _hidden(self, path: str) -> bool:
        """Whether this layer hides what the layers below have at `path`."""
        if not self._opaque:
            return False
        while path != "/":
            path = os.path.dirname(path)
            if path in self._opaque:
                return True
        return False

    def _open(self, path: str) -> int:
        """A descriptor of a real directory of this layer; no component may be a link."""
        fd = os.dup(self._root)
        for part in path.split("/"):
            if part:
                try:
                    inner = os.open(part, _DIR_FLAGS, dir_fd=fd)
                finally:
                    os.close(fd)
                fd = inner
        return fd

    def _directory(self, path: str) -> int:
        """A descriptor of the directory `path` of this layer, made when it isn't there. It is this object's to close."""
        if self._last is not None and self._last[0] == path:
            return self._last[1]
        self._forget()
        self._last = path, self._make(path)
        return self._last[1]

    def _make(self, path: str) -> int:
        """A new descriptor of a directory of this layer, made when it isn't there."""
        fd = os.dup(self._root)
        done = ""
        for part in path.split("/"):
            if not part:
                continue
            done = f"{done}/{part}"
            try:
                inner = self._enter(fd, part, done)
            finally:
                os.close(fd)
            fd = inner
        return fd

    def _enter(self, fd: int, name: str, path: str) -> int:
        there = _lstat(fd, name)
        if there is not None and stat.S_ISDIR(there.st_mode):
            return os.open(name, _DIR_FLAGS, dir_fd=fd)
        entry = None if there is not None or self._hidden(path) else self.lower.lstat(path)
        if there is not None:
            os.unlink(name, dir_fd=fd)
        os.mkdir(name, 0o700, dir_fd=fd)
        inner = os.open(name, _DIR_FLAGS, dir_fd=fd)
        if entry is not None and entry.kind == "dir":
            os.fchown(inner, self.ids.outer(entry.uid), self.ids.outer(entry.gid))
            os.fchmod(inner, entry.mode & 0o7777)
            self._times[path] = entry.mtime_ns
        else:
            os.fchown(inner, self.ids.outer(0), self.ids.outer(0))
            os.fchmod(inner, 0o755)
            self._times[path] = 0
        if _is_whiteout(there):
            self._make_opaque(path)
        return inner

    def _forget(self) -> None:
        if self._last is not None:
            os.close(self._last[1])
            self._last = None

    @staticmethod
    def _clear(directory: int, name: str) -> None:
        """Remove what this layer already has under a name: the later entry of a stream wins."""
        there = _lstat(directory, name)
        if there is None:
            return
        if stat.S_ISDIR(there.st_mode):
            shutil.rmtree(name, dir_fd=directory)
        else:
            os.unlink(name, dir_fd=directory)


def _lstat(directory: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _no_target(member: tarfile.TarInfo) -> ImageError:
    return ImageError(f"layer links {member.name} to {member.linkname}, which isn't there", reason="bad-layer")


def _is_whiteout(there: os.stat_result | None) -> bool:
    return there is not None and stat.S_ISCHR(there.st_mode) and there.st_rdev == 0


def _mtime_ns(member: tarfile.TarInfo) -> int:
    return int(min(max(member.mtime, 0), _MAX_TIME) * 1_000_000_000)


def _join(parent: str, name: str) -> str:
    return f"{parent.rstrip('/')}/{name}"
