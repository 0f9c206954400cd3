"""The store: where results, layers, blobs and cache volumes live, for any number of threads and processes at once.

HOME/         0711: steps' ids walk through it but don't list it
  lock        held shared by whoever has the store open; alone by who resets it
  index.db    what exists (index.py); a file that it doesn't name is garbage
  l/ s/ t/    layers, stagings, trash (layers.py)
  b/          blobs (blobs.py)
  v/          cache volumes (volumes.py)
  reserve     space for pruning on a full disk
  leases/     what live processes use (leases.py)

Durability: nothing is synced on the way. `sync_durable`, called in the background and at close, syncs the file system
and marks what existed before; after a crash of the machine, what isn't marked is dropped at the next open.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from sealane_engine.errors import DiskFull, StoreError
from sealane_engine.sandbox.ids import IdRange
from sealane_engine.store import blobs, gc, index, layers, leases, locks, volumes
from sealane_engine.store.disk import guarded, hold_reserve, syncfs
from sealane_engine.store.layers import Staging
from sealane_engine.store.listing import Listings
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from sealane_engine.store.edit import Editor
    from sealane_engine.store.view import TreeView

_PASSABLE = 0o711
"""Steps' ids may walk through, not list."""

_CACHEDIR_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This directory is a cache; it can be deleted.\n"


@dataclass(frozen=True, slots=True)
class Result:
    """What an operation gave: `value` is JSON; `layers` and `blobs` are what it needs. Times are epoch seconds."""

    key: str
    kind: str
    value: Any
    layers: tuple[str, ...]
    blobs: tuple[str, ...]
    created: float
    used: float
    expires: float | None = None


class Store:
    """An open store. Make it with `Store.open`; methods may be called from any thread."""

    def __init__(self, home: Path, ids: IdRange, lock: int, notes: tuple[str, ...]) -> None:
        self.home = home
        self.ids = ids
        self.notes = notes
        """What opening had to do and the user should hear (a reset, with its reason)."""
        self.root_fd = os.open(home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._lock = lock
        self._boot = index.boot_id()
        self._index = index.Index(home / "index.db")
        self._leases = leases.Leases(home / "leases")
        self._touched: dict[str, float] = {}
        self.listings = Listings()
        self._closed = False

    # ------------------------------------------------------------ lifetime
    @classmethod
    def open(cls, home: Path, ids: IdRange) -> Store:
        """Open the store in `home`, making it if needed: dead stagings are swept, unsynced results of another boot dropped.

        A store of another version, or a damaged one, is moved away and begun anew; `notes` says so.
        """
        home = home.absolute()
        with guarded(home):
            _make_folders(home)
            hold_reserve(home)
            lock, notes = _settle_version(home)
            store = cls(home, ids, lock, notes)
            store._index.create()
            dropped = index.drop_undurable(store._index, store._boot)
            layers.sweep(home)
        if dropped:
            note = f"{dropped} cached results were dropped: the machine stopped before they were safely on disk"
            store.notes = (*store.notes, note)
        return store

    def close(self) -> None:
        """Sync what is new, give back the leases. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            # A full disk here costs only marks: what isn't marked is dropped if the machine crashes.
            with suppress(DiskFull):
                self.sync_durable()
        finally:
            self._index.close()
            self._leases.close()
            os.close(self.root_fd)
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sync_durable(self) -> int:
        """Write all that exists now to disk and mark it; delete trash. Answers how many objects were marked.

        Slow (disk): for a background thread. An I/O error means that nothing is marked.
        """
        self._flush_used()
        with self._index.connection() as db:
            rows = db.execute("SELECT id FROM objects WHERE durable = 0").fetchall()
        if rows:
            with guarded(self.home):
                descriptor = os.open(self.home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    syncfs(descriptor)
                finally:
                    os.close(descriptor)
            with self._index.write() as db:
                db.executemany("UPDATE objects SET durable = 1 WHERE id = ?", rows)
        layers.empty_trash(self.home)
        return len(rows)

    # ------------------------------------------------------------ layers
    def staging(self, base: TreeView | Tree | None = None) -> Staging:
        """A place for the changes to `base`; give it to `commit`, or discard it. `fs` is made like the base's root
        (without a base: mode 0755, owned by the step's root).
        """
        view = self.view(base) if isinstance(base, Tree) else base
        root = view.exact("/") if view is not None else None
        mode, uid, gid = (root.mode, root.uid, root.gid) if root is not None else (0o755, 0, 0)
        return layers.stage(self.home, (mode, self.ids.outer(uid), self.ids.outer(gid)))

    def commit(self, staging: Staging, *, drop: Iterable[str] = ()) -> str:
        """Make a layer of a staging and answer its name; "" when nothing changed. `drop`: stubs, removed when empty."""
        layers.drop_stubs(staging.fs, drop)
        layer = layers.publish(self.home, staging)
        if layer:
            self._leases.write((layer,))
            self._leases.keep((layer,))
            self._add_object(layer)
        return layer

    def adopt_layer(self, staging: Staging, layer: str) -> None:
        """Make a layer of a staging under the name that it has in another store; one that is there stays as it is."""
        self._leases.write((layer,))
        layers.adopt(self.home, staging, layer)
        self._add_object(layer)
        self._leases.keep((layer,))

    def layer_rel(self, layer: str) -> str:
        return f"l/{layer}"

    def layer_path(self, layer: str) -> Path:
        return self.home / "l" / layer

    def lease(self, layers: Iterable[str], blobs: Iterable[str] = ()) -> bool:
        """Keep objects from being pruned while this process lives; False when one isn't there (any more)."""
        wanted = self._leases.missing([*layers, *blobs])
        if not wanted:
            return True
        self._leases.write(wanted)
        marks = ",".join("?" * len(wanted))
        with self._index.connection() as db:
            query = f"SELECT count(*) FROM objects WHERE dying = 0 AND id IN ({marks})"  # noqa: S608  only marks
            if db.execute(query, wanted).fetchone()[0] != len(set(wanted)):
                return False
        if not all(self._object_path(item).exists() for item in wanted):
            return False
        self._leases.keep(wanted)
        return True

    # ------------------------------------------------------------ results
    def result(self, key: str) -> Result | None:
        """What `key` gave, leased for this process; None when nothing usable is known."""
        with self._index.connection() as db:
            row = db.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        found = _result(row)
        if found.expires is not None and found.expires <= time.time():
            return None
        if not self.lease(found.layers, found.blobs):
            self._drop_broken(found)
            return None
        self._touched[key] = time.time()
        return found

    def put_result(
        self,
        key: str,
        kind: str,
        value: Any,
        *,
        layers: Iterable[str] = (),
        blobs: Iterable[str] = (),
        inputs: Any = None,
        expires: float | None = None,
    ) -> None:
        """Record what `key` gave (replacing what was known). `inputs` is the JSON that explain shows; `expires` is an
        epoch time. All layers and blobs must exist: a result is written last.
        """
        layers, blobs = tuple(layers), tuple(blobs)
        now = time.time()
        row = (key, kind, _dump(value), _dump(layers), _dump(blobs), _dump(inputs), now, now, expires)
        with self._index.write() as db:
            _insert_result(db, row, (*layers, *blobs))

    def replace_result(
        self,
        seen: Result | None,
        key: str,
        kind: str,
        value: Any,
        *,
        layers: Iterable[str],
        memos: Mapping[str, str],
        gone: Iterable[str],
    ) -> bool:
        """Record a result together with memos of the table named `key` (`gone` are removed), all or nothing; False, and
        nothing is recorded, when the result isn't the one that was `seen` any more.
        """
        layers = tuple(layers)
        now = time.time()
        with self._index.write() as db:
            there = db.execute("SELECT created FROM results WHERE key = ?", (key,)).fetchone()
            if (there[0] if there else None) != (seen.created if seen else None):
                return False
            _insert_result(db, (key, kind, _dump(value), _dump(layers), "[]", "null", now, now, None), layers)
            db.executemany("DELETE FROM memos WHERE place = ? AND key = ?", [(key, item) for item in gone])
            rows = [(key, name, text) for name, text in memos.items()]
            db.executemany("INSERT OR REPLACE INTO memos VALUES (?,?,?)", rows)
        return True

    def adopt_results(self, found: Iterable[tuple[Result, Any]]) -> int:
        """Record another store's results, all or none; known ones stay. Their layers and blobs must be here. Answers how
        many are new.
        """
        count = 0
        with self._index.write() as db:
            for each, inputs in found:
                if db.execute(_KNOWN, (each.key,)).fetchone() is None:
                    texts = map(_dump, (each.value, each.layers, each.blobs, inputs))
                    row = (each.key, each.kind, *texts, each.created, each.used, each.expires)
                    _insert_result(db, row, (*each.layers, *each.blobs))
                    count += 1
        return count

    def forget(self, key_prefix: str) -> int:
        """Drop results whose key begins so ("" is all of them); answers how many. Their layers go at the next prune."""
        with self._index.write() as db:
            like = (len(key_prefix), key_prefix)
            count = db.execute("DELETE FROM results WHERE substr(key, 1, ?) = ?", like).rowcount
            db.execute("DELETE FROM refs WHERE substr(key, 1, ?) = ?", like)
            return count

    def inputs(self, key: str) -> Any:
        """The inputs recorded with a result; None when the key isn't known."""
        with self._index.connection() as db:
            row = db.execute("SELECT inputs FROM results WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def results(self) -> Iterator[Result]:
        """All results, newest first. They aren't leased."""
        with self._index.connection() as db:
            rows = db.execute(f"{_SELECT} ORDER BY created DESC").fetchall()
        for row in rows:
            yield _result(row)

    def known(self, keys: Iterable[str]) -> set[str]:
        """Those keys that there are results for, usable or not."""
        with self._index.connection() as db:
            return {key for key in keys if db.execute(_KNOWN, (key,)).fetchone()}

    def results_with_inputs(self) -> Iterator[tuple[Result, Any]]:
        """All results with their inputs, in no order. They aren't leased."""
        with self._index.connection() as db:
            for row in db.execute(_SELECT.replace(" FROM", ", inputs FROM")):
                yield _result(row[:-1]), json.loads(row[-1])

    # ------------------------------------------------------------ blobs
    def put_blob(self, data: bytes | BinaryIO) -> str:
        """Store bytes (or all that a file gives); answers "sha256:…". The same bytes twice are stored once."""
        staging = self.staging()
        try:
            with guarded(self.home):
                digest, temporary = blobs.write(staging.path / "blob", data)
            self.adopt_blob(temporary, digest)
        finally:
            staging.discard()
        return digest

    def adopt_blob(self, file: Path, digest: str) -> None:
        """Make a file of a staging a blob, without reading it: whoever wrote it says what its digest is. It is moved."""
        with guarded(self.home):
            file.chmod(0o600)
            target = blobs.blob_path(self.home, digest)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._leases.write((digest,))
            with self._index.write() as db:  # GC removes blobs inside its own transaction: one after the other
                os.rename(file, target)
                db.execute(_ADD_OBJECT, (digest, self._boot, time.time()))
        self._leases.keep((digest,))

    def blob_path(self, digest: str) -> Path:
        return blobs.blob_path(self.home, digest)

    def has_blob(self, digest: str) -> bool:
        """Whether a blob is there; if so, it's leased."""
        blobs.blob_path(self.home, digest)
        return self.lease((), (digest,))

    def read_blob(self, digest: str) -> bytes:
        """A blob's bytes, verified."""
        return blobs.read(self.home, digest)

    def verify_blob(self, digest: str) -> None:
        """Read a blob and compare it with its digest; a wrong one is removed and raises StoreError."""
        blobs.verify(self.home, digest)

    # ------------------------------------------------------------ memos
    def memo(self, table: str, key: str) -> str | None:
        """A small fact remembered earlier."""
        with self._index.connection() as db:
            row = db.execute("SELECT value FROM memos WHERE place = ? AND key = ?", (table, key)).fetchone()
        return None if row is None else str(row[0])

    def memos(self, table: str) -> dict[str, str]:
        """All facts of a table."""
        with self._index.connection() as db:
            return dict(db.execute("SELECT key, value FROM memos WHERE place = ?", (table,)).fetchall())

    def put_memo(self, table: str, key: str, value: str) -> None:
        self.put_memos(table, ((key, value),))

    def put_memos(self, table: str, items: Iterable[tuple[str, str]]) -> None:
        """Many at once: one transaction."""
        rows = [(table, key, value) for key, value in items]
        if rows:
            with self._index.write() as db:
                db.executemany("INSERT OR REPLACE INTO memos VALUES (?,?,?)", rows)

    # ------------------------------------------------------------ trees
    def view(self, tree: Tree) -> TreeView:
        """Read a tree without mounting it."""
        from sealane_engine.store.view import TreeView

        return TreeView(self, tree)

    def edit(self, base: Tree) -> Editor:
        """Change a tree by file operations: a context manager whose `tree` is the outcome."""
        from sealane_engine.store.edit import Editor

        return Editor(self, base)

    def flatten(self, tree: Tree) -> Tree:
        """The same tree in one layer, for stacks that grow too deep (an overlay takes a few hundred)."""
        from sealane_engine.store.flatten import flatten

        return flatten(self, tree)

    # ------------------------------------------------------------ volumes
    def volume(self, namespace: str, key: str, variant: str = "") -> volumes.Volume:
        """The shared cache volume of a key in a namespace, made if needed; see `volumes.volume`."""
        found = volumes.volume(self.home, namespace, key, self.ids, variant)
        held = (f"volume:{found.name}",)
        self._leases.write(self._leases.missing(held))
        self._leases.keep(held)
        with self._index.write() as db:
            row = (found.name, namespace, key, time.time())
            db.execute("INSERT OR REPLACE INTO volumes VALUES (?,?,?,?)", row)
        return found

    def lock_volume(self, volume: volumes.Volume) -> AbstractAsyncContextManager[None]:
        """Hold a volume for oneself (LOCKED sharing). Lock several in the order of their names."""
        return locks.locked(volume.lock_path)

    def private_volume(self, namespace: str, key: str, variant: str = "") -> volumes.PrivateVolume:
        """A volume of this key that nobody else uses now (PRIVATE sharing): a context manager that frees it."""
        return volumes.private(self.home, self.volume(namespace, key, variant), self.ids)

    # ------------------------------------------------------------ cleaning
    def prune(self, *, keep_bytes: int = 0, cache_volumes: bool = False) -> gc.Pruned:
        """Remove the results used longest ago until `keep_bytes` are left, and what no result needs. What a live
        process leases stays. `cache_volumes`: also the volumes that nobody uses.
        """
        self._flush_used()
        return gc.prune(self.home, self._index, keep_bytes=keep_bytes, cache_volumes=cache_volumes)

    def usage(self) -> gc.Usage:
        """Sizes as they are on disk now (walks the store)."""
        return gc.usage(self.home, self._index)

    # ------------------------------------------------------------ inside
    def _object_path(self, item: str) -> Path:
        return self.blob_path(item) if item.startswith("sha256:") else self.layer_path(item)

    def _add_object(self, item: str) -> None:
        with self._index.write() as db:
            db.execute(_ADD_OBJECT, (item, self._boot, time.time()))

    def _drop_broken(self, found: Result) -> None:
        with self._index.write() as db:
            db.execute("DELETE FROM results WHERE key = ? AND created = ?", (found.key, found.created))

    def _flush_used(self) -> None:
        touched, self._touched = self._touched, {}
        if touched:
            with self._index.write() as db:
                rows = [(when, key) for key, when in touched.items()]
                db.executemany("UPDATE results SET used = ? WHERE key = ?", rows)


_SELECT = "SELECT key, kind, value, layers, blobs, created, used, expires FROM results"
_KNOWN = "SELECT 1 FROM results WHERE key = ?"
_ADD_OBJECT = "INSERT OR REPLACE INTO objects (id, boot, created) VALUES (?,?,?)"


def _result(row: tuple[Any, ...]) -> Result:
    key, kind, value, layer_names, blob_names, *times = row
    return Result(key, kind, json.loads(value), tuple(json.loads(layer_names)), tuple(json.loads(blob_names)), *times)


def _insert_result(db: sqlite3.Connection, row: tuple[Any, ...], needs: Iterable[str]) -> None:
    key = row[0]
    db.execute("INSERT OR REPLACE INTO results VALUES (?,?,?,?,?,?,?,?,?)", row)
    db.execute("DELETE FROM refs WHERE key = ?", (key,))
    db.executemany("INSERT OR IGNORE INTO refs VALUES (?,?)", [(item, key) for item in needs])


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _make_folders(home: Path) -> None:
    home.mkdir(mode=_PASSABLE, parents=True, exist_ok=True)
    os.chmod(home, _PASSABLE)
    for name, mode in (("l", 0o711), ("s", 0o711), ("t", 0o700), ("b", 0o700), ("v", 0o711), ("leases", 0o700)):
        (home / name).mkdir(mode=mode, exist_ok=True)
        os.chmod(home / name, mode)
    tag = home / "CACHEDIR.TAG"
    if not tag.exists():
        tag.write_text(_CACHEDIR_TAG)


def _settle_version(home: Path) -> tuple[int, tuple[str, ...]]:
    """The store's lock, shared, and what had to be reset to get there."""
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    notes: list[str] = []
    try:
        reason = _unusable(home)
        if reason:
            _take_alone(lock, home, reason)
            notes.append(index.move_aside(home, reason))
            _make_folders(home)
        # From alone to shared: another process may come first, it finds the store as settled as we do.
        locks.share(lock)
    except BaseException:
        os.close(lock)
        raise
    return lock, tuple(notes)


def _take_alone(lock: int, home: Path, reason: str) -> None:
    if not locks.lock_now(lock):
        raise StoreError(
            f"the store {home} can't be used by this engine ({reason}), and another engine has it open",
            reason="store-busy",
            hint="end the other engine, or set SEALANE_HOME to another directory",
        )


def _unusable(home: Path) -> str:
    if (home / "index.bad").exists():
        with suppress(OSError):
            return f"its index is damaged ({(home / 'index.bad').read_text()})"
    if not (home / "index.db").exists():
        return ""
    try:
        version = index.Index(home / "index.db").version()
    except sqlite3.DatabaseError as error:
        return f"its index is damaged ({error})"
    if version in (None, index.VERSION):
        return ""
    return f"it was written by another version of the engine (format {version}, this one reads {index.VERSION})"
