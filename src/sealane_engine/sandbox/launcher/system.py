"""/proc, /sys and /dev of a sandbox, with what is masked and what is read-only in them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from sealane_engine.linux import mounts, paths

if TYPE_CHECKING:
    from sealane_engine.sandbox.launcher.targets import Root
    from sealane_engine.sandbox.launcher.wire import Start

MASKED = (
    b"/proc/acpi", b"/proc/asound", b"/proc/kcore", b"/proc/keys", b"/proc/latency_stats", b"/proc/timer_list",
    b"/proc/timer_stats", b"/proc/sched_debug", b"/proc/scsi", b"/proc/interrupts", b"/sys/firmware",
    b"/sys/devices/virtual/powercap",
)  # fmt: skip
READ_ONLY = (b"/proc/bus", b"/proc/fs", b"/proc/irq", b"/proc/sys", b"/proc/sysrq-trigger")

DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_LINKS = (
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
)
_TERMINALS = 5  # the group that owns terminals, in every distribution

_QUIET = mounts.ATTR_NOSUID | mounts.ATTR_NODEV | mounts.ATTR_NOEXEC


def mount(root: Root, start: Start) -> None:
    """Mount the three. A privileged sandbox has no masks: the user namespace alone guards what is the host's."""
    privileged = start.command.privileged
    proc = mounts.new("proc", [], attributes=_QUIET)
    root.attach(proc, b"/proc", directory=True)
    sys = mounts.new("sysfs", [], attributes=_QUIET | (0 if privileged else mounts.ATTR_RDONLY))
    root.attach(sys, b"/sys", directory=True)
    _devices(root)
    if not privileged:
        trees = {b"/proc": proc, b"/sys": sys}
        _mask(trees)
        _protect(trees)
    for fd in (proc, sys):
        root.forbid(fd)
        os.close(fd)


def _devices(root: Root) -> None:
    dev = mounts.new("tmpfs", [("mode", "0755"), ("size", "65536k")], attributes=mounts.ATTR_NOSUID)
    root.attach(dev, b"/dev", directory=True)
    for name in DEVICES:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=dev))
        _move(mounts.clone_tree(f"/dev/{name}"), dev, name)
    for text, name in _LINKS:
        os.symlink(text, name, dir_fd=dev)
    terminals: list[tuple[str, str | None]] = [
        ("newinstance", None),
        ("ptmxmode", "0666"),
        ("mode", "0620"),
        ("gid", str(_TERMINALS)),
    ]
    memory: list[tuple[str, str | None]] = [("mode", "1777"), ("size", "65536k")]
    for name, kind, options, attributes in (
        ("pts", "devpts", terminals, mounts.ATTR_NOSUID | mounts.ATTR_NOEXEC),
        ("shm", "tmpfs", memory, _QUIET),
        ("mqueue", "mqueue", [], _QUIET),
    ):
        os.mkdir(name, 0o755, dir_fd=dev)
        _move(mounts.new(kind, options, attributes=attributes), dev, name)
    os.close(dev)


def _move(fd: int, directory: int, name: str | bytes) -> None:
    """Attach and close `fd` at `name`, which no link can lead elsewhere."""
    target = paths.open_at(directory, name, os.O_PATH, paths.BENEATH | paths.NO_SYMLINKS)
    mounts.attach(fd, target)
    os.close(target)
    os.close(fd)


def _inside(trees: dict[bytes, int], path: bytes) -> tuple[int, bytes]:
    """The mount (by descriptor) that a path of the tables is in, and the rest of the path."""
    head = path[: path.index(b"/", 1)]
    return trees[head], path[len(head) + 1 :]


def _mask(trees: dict[bytes, int]) -> None:
    empty = -1
    for path in MASKED:
        tree, rest = _inside(trees, path)
        try:
            status = os.stat(rest, dir_fd=tree, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(status.st_mode):
            _move(mounts.clone_tree("/dev/null"), tree, rest)
            continue
        if empty < 0:
            empty = mounts.new("tmpfs", [("size", "0"), ("mode", "0755")], attributes=_QUIET | mounts.ATTR_RDONLY)
            _move(os.dup(empty), tree, rest)
        else:
            _move(mounts.clone_tree(at=empty), tree, rest)
    if empty >= 0:
        os.close(empty)


def _protect(trees: dict[bytes, int]) -> None:
    for path in READ_ONLY:
        tree, rest = _inside(trees, path)
        try:
            source = paths.open_at(tree, rest, os.O_PATH, paths.BENEATH | paths.NO_SYMLINKS)
        except FileNotFoundError:
            continue
        clone = mounts.clone_tree(at=source)
        os.close(source)
        mounts.set_attributes(clone, _QUIET | mounts.ATTR_RDONLY)
        _move(clone, tree, rest)


def verify(root: Root, start: Start) -> None:
    """Look at the result through the paths that the command will use, after everything has been mounted."""
    if start.command.privileged:
        return
    null = os.makedev(*DEVICES["null"])
    for path in (*MASKED, *READ_ONLY):
        try:
            fd = root.open(path)
        except FileNotFoundError:
            continue
        status, flags = os.fstat(fd), os.fstatvfs(fd).f_flag
        os.close(fd)
        if not (flags & os.ST_RDONLY or (stat.S_ISCHR(status.st_mode) and status.st_rdev == null)):
            raise PermissionError(1, "isn't protected in the sandbox", path.decode())
