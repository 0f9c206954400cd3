"""Cache volumes: what a new one begins with, and whose it is."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from sealane_engine.host.export import export_directory

if TYPE_CHECKING:
    from sealane_engine.store.store import Store
    from sealane_engine.store.view import TreeView
    from sealane_engine.store.volumes import Volume


def fill_volume(
    store: Store, volume: Volume, seed: tuple[TreeView, str] | None, uid: int, gid: int, mode: int | None
) -> None:
    """Fill a volume the first time that it is mounted, and give it to its owner; later it is as its users left it.

    `mode` is that of its own directory (None: that of what it is filled with).
    """
    done = volume.path.with_name(volume.path.name + ".filled")
    if done.exists():
        return
    descriptor = os.open(volume.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if done.exists():
            return
        if seed is not None:
            export_directory(seed[0], seed[1], volume.path, wipe=False)
            source = seed[0].stat(seed[1])
            mode = source.mode if mode is None and source is not None else mode
        owner = store.ids.outer(uid), store.ids.outer(gid)
        for folder, names, files in os.walk(volume.path):
            for name in (".", *names, *files):
                os.chown(os.path.join(folder, name), *owner, follow_symlinks=False)
        if mode is not None:
            volume.path.chmod(mode)
        done.touch()
    finally:
        os.close(descriptor)
