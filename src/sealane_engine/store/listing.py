"""What single directories of layers hold. Layers never change, so this is remembered across views."""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict

from sealane_engine.store.disk import is_whiteout

DIRECTORY, WHITEOUT, OTHER = "d", "w", "o"

Names = dict[str, str]
"""Name to DIRECTORY, WHITEOUT or OTHER."""

_LIMIT = 100_000


def read(real: str) -> Names:
    """The names in one directory on disk."""
    found: Names = {}
    with os.scandir(real) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found[entry.name] = DIRECTORY
            elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                found[entry.name] = OTHER
            else:
                found[entry.name] = WHITEOUT if is_whiteout(entry.stat(follow_symlinks=False)) else OTHER
    return found


def kind_on_disk(real: str) -> str | None:
    """What one path is; None when there's nothing."""
    try:
        facts = os.lstat(real)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(facts.st_mode):
        return DIRECTORY
    return WHITEOUT if is_whiteout(facts) else OTHER


class Listings:
    """A bounded cache of directory listings, by real path; shared by threads."""

    def __init__(self) -> None:
        self._cache: OrderedDict[str, Names] = OrderedDict()
        self._names = 0
        self._guard = threading.Lock()

    def get(self, real: str) -> Names:
        with self._guard:
            found = self._cache.get(real)
            if found is not None:
                self._cache.move_to_end(real)
                return found
        found = read(real)
        with self._guard:
            if real not in self._cache:
                self._cache[real] = found
                self._names += len(found) + 1
            while self._names > _LIMIT and len(self._cache) > 1:
                _, dropped = self._cache.popitem(last=False)
                self._names -= len(dropped) + 1
        return found
