"""Leases: what a live process uses is never pruned.

Each process that has the store open appends one line per layer or blob to a file in leases/ whose flock it holds; the
lock ends with the process, and with it all its leases. Order makes this safe without a transaction per lookup:
a user writes its lease first and looks then whether the object is (still) there and not dying; GC marks objects as
dying first and reads the leases then. Whoever comes second sees the other.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from sealane_engine.store import locks
from sealane_engine.store.layers import new_id


class Leases:
    """The leases of this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        while True:
            self._path = folder / f"{os.getpid()}-{new_id()}"
            descriptor = locks.create_locked(self._path, directory=False)
            if descriptor is not None:
                break
        self._descriptor = descriptor
        self._held: set[str] = set()
        self._guard = threading.Lock()

    def missing(self, objects: Iterable[str]) -> list[str]:
        """Those that aren't leased yet."""
        return [item for item in objects if item not in self._held]

    def write(self, objects: Iterable[str]) -> None:
        """Record leases; they count for others from now on. `keep` says afterwards that the objects were there."""
        line = "".join(f"{item}\n" for item in objects)
        if line:
            os.write(self._descriptor, line.encode())

    def keep(self, objects: Iterable[str]) -> None:
        with self._guard:
            self._held.update(objects)

    def close(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._descriptor)


def held(folder: Path) -> set[str]:
    """Everything that live processes lease; files of dead ones are removed."""
    found: set[str] = set()
    for path in list(folder.iterdir()):
        lock = locks.try_lock(path)
        if lock is None:
            with contextlib.suppress(FileNotFoundError):
                found.update(path.read_text().split())
        else:
            path.unlink(missing_ok=True)
            os.close(lock)
    return found
