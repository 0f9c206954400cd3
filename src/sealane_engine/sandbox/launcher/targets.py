"""A sandbox's root while it is being built: targets of mounts are found and made inside it, never outside."""

from __future__ import annotations

import errno
import os
import stat

from sealane_engine.linux import mounts, paths

_LINKS = 40  # as many as the kernel follows


class Root:
    """The root mount by descriptor. `stubs`: what was made in it, deepest first, relative to it. `staged`: the mounts
    (the root itself, too) whose changes are kept.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._device = os.fstat(fd).st_dev
        self._forbidden: set[int] = set()
        self.stubs: list[str] = []
        self.staged: list[int] = []

    def forbid(self, mount: int) -> None:
        """Nothing may be mounted or made on this file system: /proc and /sys."""
        self._forbidden.add(os.fstat(mount).st_dev)

    def pivot(self) -> None:
        """Make it the root of this mount namespace, and let go of the old one."""
        old = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fchdir(self.fd)
        mounts.pivot_root(".", ".")  # the old root now lies on top of the new one
        os.fchdir(old)
        mounts.unmount(".")
        os.close(old)
        os.chdir("/")

    def open(self, path: bytes, flags: int = os.O_PATH) -> int:
        return paths.open_at(self.fd, path, flags, paths.IN_ROOT | paths.NO_MAGICLINKS)

    def attach(self, mount: int, path: bytes, *, directory: bool, record: bool = True) -> None:
        """Attach a detached mount at `path`; what is missing there is made first. Closes nothing."""
        target = self.ensure(path, directory=directory, record=record)
        try:
            self._check(target, path)
            mounts.attach(mount, target)
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fsdecode(path)) from None
        finally:
            os.close(target)

    def _check(self, target: int, path: bytes) -> None:
        status = os.fstat(target)
        if status.st_dev in self._forbidden or os.path.samestat(status, os.fstat(self.fd)):
            raise OSError(errno.EPERM, "nothing may be mounted here", os.fsdecode(path))

    def ensure(self, path: bytes, *, directory: bool, record: bool = True) -> int:
        """A descriptor (O_PATH) of what `path` is in this root, made (0755, root's) where it's missing."""
        try:
            return self.open(path)
        except FileNotFoundError:
            return self._make(path, directory=directory, record=record)

    def _make(self, path: bytes, *, directory: bool, record: bool) -> int:
        current = b""
        pending = path.split(b"/")[::-1]
        links = 0
        while pending:
            name = pending.pop()
            if name in {b"", b"."}:
                continue
            if name == b"..":
                current = current.rpartition(b"/")[0]
                continue
            parent = self.open(current or b"/", os.O_PATH | os.O_DIRECTORY)
            try:
                if os.fstat(parent).st_dev in self._forbidden:  # its links may lead to the host's side: none is read
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(path))
                link = self._step(parent, name, directory=directory or bool(pending))
                if link == b"" and record and os.fstat(parent).st_dev == self._device:
                    self.stubs.insert(0, os.fsdecode((current + b"/" + name).lstrip(b"/")))
            finally:
                os.close(parent)
            if link:
                links += 1
                if links > _LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(path))
                pending += link.split(b"/")[::-1]
                current = b"" if link.startswith(b"/") else current
            else:
                current += b"/" + name
        return self.open(current or b"/")

    @staticmethod
    def _step(parent: int, name: bytes, *, directory: bool) -> bytes | None:
        """A link's text; None if `name` is something else that exists; empty if it had to be made."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            if directory:
                os.mkdir(name, 0o755, dir_fd=parent)
            else:
                os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=parent))
            return b""
        return os.readlink(name, dir_fd=parent) if stat.S_ISLNK(status.st_mode) else None
