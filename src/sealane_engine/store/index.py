"""The store's index: one SQLite file in WAL mode that says which results, layers and blobs exist.

objects   a layer or a blob: `durable` is 0 until a syncfs after its creation, `dying` while GC decides about it
results   what a key gave; layers and blobs that it needs are in `refs`
memos     small facts that can be computed again: stat caches, file digests, Merkle nodes

A row is written last, when its files are in place; a file without a row is garbage. What another boot left without
`durable` may be empty on disk (its blocks were never written): it is dropped.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sealane_engine.errors import StoreError
from sealane_engine.store.disk import disk_full

VERSION = 1
_SCHEMA = """
CREATE TABLE objects (id TEXT PRIMARY KEY, boot TEXT NOT NULL, durable INTEGER NOT NULL DEFAULT 0,
                      dying INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX objects_undurable ON objects (boot) WHERE durable = 0;
CREATE TABLE results (key TEXT PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, layers TEXT NOT NULL,
                      blobs TEXT NOT NULL, inputs TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL,
                      expires REAL) WITHOUT ROWID;
CREATE INDEX results_created ON results (created);
CREATE TABLE refs (object TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (object, key)) WITHOUT ROWID;
CREATE INDEX refs_key ON refs (key);
CREATE TABLE memos (place TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (place, key)) WITHOUT ROWID;
CREATE TABLE volumes (name TEXT PRIMARY KEY, namespace TEXT NOT NULL, key TEXT NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
"""


class Index:
    """Connections to the index: any thread may use it, one statement or one transaction at a time each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit mode."""
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed", reason="store-closed")
            db = self._idle.pop() if self._idle else None
        if db is None:
            db = self._connect()
        try:
            with self._errors():
                yield db
        finally:
            with self._lock:
                if self._closed:
                    db.close()
                else:
                    self._idle.append(db)

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One writing transaction: all of it, or nothing."""
        with self.connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()

    def version(self) -> int | None:
        """The schema's version; None for a file without tables. One that isn't an index raises sqlite3.DatabaseError."""
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as db:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            return version if version or tables else None

    def checkpoint(self) -> None:
        """Empty the log into the file, as far as readers let us."""
        with self.connection() as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def shrink(self) -> None:
        """Give back the space of deleted rows, piece by piece: what is moved goes through the log."""
        self.checkpoint()
        left = -1
        while True:
            with self.connection() as db:
                free = int(db.execute("PRAGMA freelist_count").fetchone()[0])
                if free in (0, left):
                    return
                left = free
                db.execute("PRAGMA incremental_vacuum(500)").fetchall()
            self.checkpoint()

    def create(self) -> None:
        """Make the tables (another process may do so at the same time)."""
        with self.write() as db:
            if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
                return
            for statement in _SCHEMA.split(";"):
                if statement.strip():
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")

    def _connect(self) -> sqlite3.Connection:
        with self._errors():
            db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts only before the file is made
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            return db

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "is full" in text:
                raise disk_full(self.path.parent, error) from error
            if "locked" in text:
                raise StoreError(
                    f"the store's index {self.path} is locked by another process for 30 seconds",
                    reason="index-locked",
                    hint="look for a stopped process that has it open (fuser), then call again",
                ) from error
            raise StoreError(f"the store's index {self.path} failed: {text}", reason="index-failed") from error
        except sqlite3.DatabaseError as error:
            with contextlib.suppress(OSError):
                self.path.with_name("index.bad").write_text(str(error))
            raise StoreError(
                f"the store's index {self.path} is damaged: {error}",
                reason="index-damaged",
                hint="start again: the next engine that opens the store alone resets it",
            ) from error


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def move_aside(home: Path, reason: str) -> str:
    """Put an index that can't be used, with all that it describes, out of the way; answers what was done and why.

    The caller holds the store's lock alone.
    """
    place = home / "t" / f"index-{int(time.time())}-{os.getpid()}"
    place.mkdir(mode=0o700)
    for name in ("index.bad", "index.db-wal", "index.db-shm", "index.db", "l", "b"):
        with contextlib.suppress(FileNotFoundError):
            os.rename(home / name, place / name)
    return f"the cache in {home} was reset: {reason}"


def drop_undurable(index: Index, boot: str) -> int:
    """Forget what another boot left unsynced, and results whose layers or blobs are gone. Answers how many results."""
    with index.connection() as db:
        found = db.execute("SELECT 1 FROM objects WHERE durable = 0 AND boot <> ? LIMIT 1", (boot,)).fetchone()
    if found is None:
        return 0
    with index.write() as db:
        db.execute("DELETE FROM objects WHERE durable = 0 AND boot <> ?", (boot,))
        count = db.execute(
            "DELETE FROM results WHERE key IN (SELECT key FROM refs WHERE object NOT IN (SELECT id FROM objects))"
        ).rowcount
        db.execute("DELETE FROM refs WHERE key NOT IN (SELECT key FROM results)")
        db.execute("DELETE FROM memos")
        return count
