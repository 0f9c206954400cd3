"""Pruning: results go by last use, then what no result needs and no live process leases. Sizes are measured, never kept.

Order: results are deleted and unneeded objects marked dying in one transaction; the leases are read after that (see
leases.py); then rows go, then files. A crash in between leaves files without rows, which the next prune removes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sealane_engine.store import leases, locks
from sealane_engine.store.blobs import blob_path
from sealane_engine.store.disk import free_reserve, hold_reserve
from sealane_engine.store.index import Index
from sealane_engine.store.layers import empty_trash, new_id

_GRACE = 600.0
"""A layer without a row may be a commit under way (rename, then row); it's garbage when older than this in seconds."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed. `bytes` is what the file system got back."""

    results: int
    layers: int
    blobs: int
    volumes: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes on disk; a file shared by several layers counts once."""

    results: int
    layers: int
    blobs: int
    volumes: int
    layer_bytes: int
    blob_bytes: int
    volume_bytes: int

    @property
    def bytes(self) -> int:
        return self.layer_bytes + self.blob_bytes + self.volume_bytes


def prune(home: Path, index: Index, *, keep_bytes: int, cache_volumes: bool) -> Pruned:
    free_before = _free(home)
    free_reserve(home)
    empty_trash(home)
    try:
        return _prune(home, index, keep_bytes, free_before, cache_volumes=cache_volumes)
    finally:
        hold_reserve(home)


def _prune(home: Path, index: Index, keep_bytes: int, free_before: int, *, cache_volumes: bool) -> Pruned:
    count = _drop_results(home, index, keep_bytes)
    dying = _mark(index)
    spared = leases.held(home / "leases") & dying
    doomed = dying - spared
    with index.write() as db:
        if spared:
            db.executemany("UPDATE objects SET dying = 0 WHERE id = ?", [(item,) for item in spared])
        # Another prune or a new blob with the same digest may have come first: only what is still dying goes.
        doomed = {item for item in doomed if _still_dying(db, item)}
        db.executemany("DELETE FROM objects WHERE id = ?", [(item,) for item in doomed])
        for item in doomed:
            if item.startswith("sha256:"):
                blob_path(home, item).unlink(missing_ok=True)
    _to_trash(home, [home / "l" / item for item in doomed if not item.startswith("sha256:")])
    _drop_strays(home, index)
    _drop_memos(index)
    volumes = _drop_volumes(home, index) if cache_volumes else 0
    empty_trash(home)
    index.shrink()
    blob_count = sum(item.startswith("sha256:") for item in doomed)
    return Pruned(count, len(doomed) - blob_count, blob_count, volumes, max(0, _free(home) - free_before))


def usage(home: Path, index: Index) -> Usage:
    seen: set[tuple[int, int]] = set()
    with index.connection() as db:
        results = db.execute("SELECT count(*) FROM results").fetchone()[0]
        objects = [str(row[0]) for row in db.execute("SELECT id FROM objects")]
        volumes = db.execute("SELECT count(*) FROM volumes").fetchone()[0]
    names = [item for item in objects if not item.startswith("sha256:")]
    return Usage(
        results,
        len(names),
        len(objects) - len(names),
        volumes,
        sum(_tree_bytes(str(home / "l" / name), seen) for name in names),
        _tree_bytes(str(home / "b"), seen),
        _tree_bytes(str(home / "v"), seen),
    )


def _drop_results(home: Path, index: Index, keep_bytes: int) -> int:
    """Delete results, oldest use first, until what the others need fits `keep_bytes`."""
    if keep_bytes <= 0:
        with index.write() as db:
            db.execute("DELETE FROM refs")
            return db.execute("DELETE FROM results").rowcount
    with index.connection() as db:
        keys = [str(row[0]) for row in db.execute("SELECT key FROM results ORDER BY used")]
        pairs = [(str(key), str(item)) for key, item in db.execute("SELECT key, object FROM refs")]
    needs: dict[str, list[str]] = {}
    users: dict[str, int] = {}
    for key, item in pairs:
        needs.setdefault(key, []).append(item)
        users[item] = users.get(item, 0) + 1
    sizes = {item: _object_bytes(home, item) for item in users}
    total = sum(sizes.values())
    gone: list[str] = []
    for key in keys:
        if total <= keep_bytes:
            break
        gone.append(key)
        for item in needs.get(key, ()):
            users[item] -= 1
            if users[item] == 0:
                total -= sizes[item]
    with index.write() as db:
        db.executemany("DELETE FROM refs WHERE key = ?", [(key,) for key in gone])
        db.executemany("DELETE FROM results WHERE key = ?", [(key,) for key in gone])
    return len(gone)


def _mark(index: Index) -> set[str]:
    with index.write() as db:
        db.execute("UPDATE objects SET dying = 1 WHERE id NOT IN (SELECT object FROM refs)")
        return {str(row[0]) for row in db.execute("SELECT id FROM objects WHERE dying = 1")}


def _still_dying(db: sqlite3.Connection, item: str) -> bool:
    query = "SELECT 1 FROM objects WHERE id = ?1 AND dying = 1 AND NOT EXISTS (SELECT 1 FROM refs WHERE object = ?1)"
    return db.execute(query, (item,)).fetchone() is not None


def _drop_strays(home: Path, index: Index) -> None:
    """Layer directories and blobs without a row, old enough to be no commit under way."""
    with index.connection() as db:
        known = {str(row[0]) for row in db.execute("SELECT id FROM objects")}
    before = time.time() - _GRACE
    strays = [path for path in (home / "l").iterdir() if path.name not in known and _changed(path) < before]
    strays += [
        path
        for path in (home / "b").glob("sha256/*/*")
        if f"sha256:{path.name}" not in known and _changed(path) < before
    ]
    _to_trash(home, strays)


def _drop_memos(index: Index) -> None:
    """Memos whose key begins with a layer (`LAYER:…`) that is gone, and the stat caches of scans that are.

    A few at a time, written through in between: on a full disk the log of one large deletion would find no room.
    """
    gone = (
        "SELECT place, key FROM memos WHERE (place IN ('files', 'dirs', 'facts', 'packed') "
        "AND substr(key, 1, instr(key || ':', ':') - 1) NOT IN (SELECT id FROM objects)) "
        "OR (place LIKE 'scan:%' AND place NOT IN (SELECT key FROM results)) LIMIT 200"
    )
    while True:
        with index.write() as db:
            rows = db.execute(gone).fetchall()
            db.executemany("DELETE FROM memos WHERE place = ? AND key = ?", rows)
        if not rows:
            return
        index.checkpoint()


def _drop_volumes(home: Path, index: Index) -> int:
    held = leases.held(home / "leases")
    count = 0
    for folder in list((home / "v").iterdir()):
        if f"volume:{folder.name}" in held:
            continue
        taken = [lock for path in (folder / "lock", *folder.glob("p*.lock")) if (lock := locks.try_lock(path))]
        _to_trash(home, [folder])
        for lock in taken:
            os.close(lock)
        with index.write() as db:
            db.execute("DELETE FROM volumes WHERE name = ?", (folder.name,))
        count += 1
    return count


def _to_trash(home: Path, paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            os.rename(path, home / "t" / f"{path.name}-{new_id()}")


def _changed(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.lstat().st_ctime
    return time.time()


def _object_bytes(home: Path, item: str) -> int:
    if item.startswith("sha256:"):
        with suppress(FileNotFoundError):
            return blob_path(home, item).stat().st_blocks * 512
        return 0
    return _tree_bytes(str(home / "l" / item), None)


def _tree_bytes(path: str, seen: set[tuple[int, int]] | None) -> int:
    """Bytes below a path. With `seen` an inode counts once; without, each link counts its share of the file."""
    total = 0
    todo = [path]
    while todo:
        with suppress(OSError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                facts = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                elif seen is None:
                    total += facts.st_blocks * 512 // max(1, facts.st_nlink)
                    continue
                elif (facts.st_dev, facts.st_ino) in seen:
                    continue
                elif facts.st_nlink > 1:
                    seen.add((facts.st_dev, facts.st_ino))
                total += facts.st_blocks * 512
    return total


def _free(home: Path) -> int:
    return shutil.disk_usage(home).free
