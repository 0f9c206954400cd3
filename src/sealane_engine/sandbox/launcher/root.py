"""The root of a sandbox: its overlay and the mounts of its plan. Runs inside the sandbox's namespaces.

The working directory is the store's, as a path in this mount namespace: sources are opened relative to it.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

from sealane_engine.linux import mounts, paths
from sealane_engine.sandbox.launcher import system, wire
from sealane_engine.sandbox.launcher.targets import Root

if TYPE_CHECKING:
    from sealane_engine.sandbox.launcher.wire import Start, WireMount

ANCHOR = "r"
"""An empty directory of the store, where each sandbox attaches its root in its own mount namespace."""

EMPTY = "e"
"""A directory of the store that stays empty: the lower layer of what has none."""

_INSIDE = paths.BENEATH | paths.NO_SYMLINKS | paths.NO_MAGICLINKS
_PAGE = 4096


def build(start: Start, place: str) -> Root:
    """The root (attached at `place`), /proc, /sys and /dev, then the mounts of the plan, in their order."""
    contents = _contents([mount.source for mount in start.mounts if mount.kind == wire.CONTENT])
    fd = _root_mount(start)
    _attach(fd, place)
    root = Root(fd)
    if start.staging is not None:
        root.staged.append(fd)
    system.mount(root, start)
    for mount in start.mounts:
        _mount(root, mount, contents)
    system.verify(root, start)
    if start.staging is None:
        mounts.set_attributes(fd, mounts.ATTR_RDONLY)
    return root


def _root_mount(start: Start) -> int:
    if start.staging is not None:
        return overlay(start.lowers, start.staging)
    # Mount targets may have to be made in a read-only root as well: in memory, and nobody sees them afterwards.
    scratch = mounts.new("tmpfs", [("mode", "0755")])
    _attach(scratch, ANCHOR)
    for name in ("fs", "work", "empty"):
        os.mkdir(name, 0o755, dir_fd=scratch)
    try:
        return overlay(start.lowers or (f"{ANCHOR}/empty",), ANCHOR)
    finally:
        mounts.unmount(ANCHOR)
        os.close(scratch)


def _attach(fd: int, place: str) -> None:
    anchor = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mounts.attach(fd, anchor)
    os.close(anchor)


def overlay(lowers: tuple[str, ...], staging: str | None) -> int:
    """A detached overlay mount; `lowers` bottom first."""
    for lower in lowers:  # the kernel would follow a link in a lower's path; nothing in the store has one
        os.close(_open_inside(lower, os.O_PATH | os.O_DIRECTORY))
    lowers = lowers or (EMPTY,)  # never the staging itself: only a file system of its own can be frozen
    options: list[tuple[str, str | None]] = [("userxattr", None), ("index", "off"), ("metacopy", "off")]
    if staging is not None:
        # The engine makes results durable with one syncfs in the background: a step's own fsyncs would only cost.
        options += [("volatile", None), ("upperdir", f"{staging}/fs"), ("workdir", f"{staging}/work")]
    stack = [("lowerdir+", lower) for lower in reversed(lowers)]
    try:
        return mounts.new("overlay", [*options, *stack], attributes=mounts.ATTR_NODEV, source="sealane")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return _old_overlay([*options, ("lowerdir", ":".join(reversed(lowers)))])


def _old_overlay(options: list[tuple[str, str | None]]) -> int:
    """Kernels before 6.8 take all lowers in one string, and only mount(2) takes a long one."""
    text = ",".join(key if value is None else f"{key}={value}" for key, value in options)
    if len(text) >= _PAGE:
        raise OSError(errno.E2BIG, "too many layers for this kernel's overlay: mount options are limited to a page")
    # On top of whatever the anchor shows now, and at once away from there again.
    mounts.mount("overlay", ANCHOR, text, source="sealane")
    try:
        fd = mounts.clone_tree(ANCHOR)
    finally:
        mounts.unmount(ANCHOR)
    mounts.set_attributes(fd, mounts.ATTR_NODEV)
    return fd


def _open_inside(path: str, flags: int = os.O_PATH) -> int:
    return paths.open_at(mounts.AT_FDCWD, path, flags, _INSIDE)


def _contents(sources: list[Any]) -> list[int]:
    """Files in a private tmpfs, one detached mount for each; their text is on no disk."""
    if not sources:
        return []
    memory = mounts.new("tmpfs", [("mode", "0700")])
    # Before Linux 6.15 a mount can be cloned only while it is attached: the anchor hides it from everybody else.
    _attach(memory, ANCHOR)
    clones = []
    for index, (data, mode, uid, gid) in enumerate(sources):
        name = str(index)
        file = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=memory)
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        os.fchown(file, uid, gid)
        os.fchmod(file, mode)
        os.close(file)
        clones.append(mounts.clone_tree(f"{ANCHOR}/{name}"))
    mounts.unmount(ANCHOR)
    os.close(memory)
    return clones


def _mount(root: Root, mount: WireMount, contents: list[int]) -> None:
    attributes = mounts.ATTR_NODEV
    match mount.kind:
        case wire.OVERLAY:
            lowers, staging = mount.source
            if staging is None and len(lowers) == 1:
                fd = _clone_inside(lowers[0])
            elif staging is None and not lowers:
                fd = mounts.new("tmpfs", [("mode", "0755")])
            else:
                fd = overlay(lowers, staging)
            read_only = mount.read_only or staging is None
        case wire.BIND:
            fd, read_only = _clone_inside(mount.source), mount.read_only
        case wire.TMPFS:
            size, mode = mount.source
            options: list[tuple[str, str | None]] = [("mode", f"{mode:o}")]
            if size is not None:
                options.append(("size", str(size)))
            fd, read_only = mounts.new("tmpfs", options, source="tmpfs"), mount.read_only
        case _:
            fd, read_only = contents.pop(0), mount.read_only
            attributes |= mounts.ATTR_NOSUID | mounts.ATTR_NOEXEC
    mounts.set_attributes(fd, attributes | (mounts.ATTR_RDONLY if read_only else 0))
    root.attach(fd, mount.target, directory=stat.S_ISDIR(os.fstat(fd).st_mode))
    if mount.kind == wire.OVERLAY and mount.source[1] is not None:
        root.staged.append(fd)
    else:
        os.close(fd)


def _clone_inside(path: str) -> int:
    """A detached clone of a store path. Opened without following links: a step may own parts of a volume's path."""
    source = _open_inside(path)
    try:
        return mounts.clone_tree(at=source)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(source)
