"""Client directories into the store: what is unchanged since the last scan is neither read nor copied.

Remembered per directory and filter, in the memo table of the scan's result: for each directory of the tree the stats
of its files, their digests, and the Merkle hash over all of it. A scan lists every directory and stats every file that
the filter lets through; a file is read when its stat differs (or was too fresh to be trusted). What differs from the
last scan becomes one delta layer on its layers: changed files, whiteouts for what is gone. Owner is 0:0; modes and times
are the host's; sockets, fifos and devices are left out. The content key is the Merkle root, as `TreeView.digest` has it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.host.patterns import Filter, IgnoreRules
from sealane_engine.host.read import Stored, host_errors, read_file, settled, signature
from sealane_engine.store import disk
from sealane_engine.store.digest import directory_key, files_key, of_directory, record
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from sealane_engine.store.layers import Staging
    from sealane_engine.store.store import Result, Store

MAX_DELTAS = 16
"""A deeper stack is flattened by hard links."""

_VERSION = 1
_LINK_MODE = 0o777


async def scan(
    store: Store, path: str | Path, *, include: Sequence[str] = (), exclude: Sequence[str] = (), gitignore: bool = False
) -> tuple[Tree, str]:
    """A host directory as a tree, and its content key. Patterns are Dagger's (see `patterns`)."""
    return await asyncio.to_thread(
        scan_now, store, path, include=tuple(include), exclude=tuple(exclude), gitignore=gitignore
    )


async def scan_file(store: Store, path: str | Path) -> tuple[Tree, str, str]:
    """A host file as a tree that holds it alone: the tree, the file's path in it, the content key of the tree."""
    return await asyncio.to_thread(scan_file_now, store, path)


def scan_now(
    store: Store, path: str | Path, *, include: Sequence[str] = (), exclude: Sequence[str] = (), gitignore: bool = False
) -> tuple[Tree, str]:
    """What `scan` does, in this thread."""
    root = os.path.realpath(path)
    with host_errors(str(path)):
        facts = os.stat(root)
    if not stat.S_ISDIR(facts.st_mode):
        raise InvalidInput(f"open {path}: not a directory", reason="not-a-directory", hint="use host.file for a file")
    key = _key(root, facts, [list(include), list(exclude), gitignore])
    below = _in_repository(root) if gitignore else ""
    rules = IgnoreRules(_ignore_files_above(root, below), below=below) if gitignore else None
    with disk.guarded(store.home):
        try:
            return _Scan(store, root, key, Filter(include, exclude, rules), rules, below).run()
        except RecursionError:
            raise InvalidInput(
                f"{path} is nested too deeply", reason="too-deep", hint="exclude the deep part"
            ) from None


def _in_repository(root: str) -> str:
    """Where a directory lies in its git repository; "" for its top, and where there's none."""
    for top in (Path(root), *Path(root).parents):
        if os.path.lexists(top / ".git"):
            below = os.path.relpath(root, top)
            return "" if below == "." else below
    return ""


def _ignore_files_above(root: str, below: str) -> Iterator[tuple[str, list[str]]]:
    """The .gitignore files of the directories between a repository's top and one in it, the top's first."""
    names = below.split("/") if below else []
    top = Path(root).parents[len(names) - 1] if names else Path(root)
    for depth in range(len(names)):
        file = top.joinpath(*names[:depth], ".gitignore")
        if file.is_file() and not file.is_symlink():
            with host_errors(str(file)):
                yield "/".join(names[:depth]), file.read_text(errors="replace").splitlines()


def take_now(store: Store, path: Path) -> Tree:
    """A folder of ours as a tree; nothing is remembered of it, for it will not be there again."""
    tree, _ = scan_now(store, path)
    root = os.path.realpath(path)
    store.forget(_key(root, os.stat(root), [[], [], False]))
    return tree


def _key(root: str, facts: os.stat_result, filters: list[object]) -> str:
    identity = json.dumps([_VERSION, root, facts.st_dev, *filters])
    return "scan:" + hashlib.sha256(identity.encode()).hexdigest()


def scan_file_now(store: Store, path: str | Path) -> tuple[Tree, str, str]:
    """What `scan_file` does, in this thread."""
    real = os.path.realpath(path)
    with host_errors(str(path)):
        facts = os.stat(real)
    if stat.S_ISDIR(facts.st_mode):
        raise InvalidInput(f"path {path} is a directory, not a file", reason="is-a-directory")
    name = os.path.basename(os.path.abspath(path))
    key = "scan:" + hashlib.sha256(json.dumps([_VERSION, "file", real, facts.st_dev, name]).encode()).hexdigest()
    known = store.result(key)
    if known is not None and known.value["stat"] == signature(facts):
        return Tree(known.layers), f"/{name}", str(known.value["digest"])
    since = time.time_ns()
    staging = store.staging()
    try:
        with disk.guarded(store.home):
            found = read_file(real, f"{staging.path}/large")
            root = store.ids.outer(0)
            found.save(f"{staging.fs}/{name}", root, root)
        layer = store.commit(staging)
    except BaseException:
        staging.discard()
        raise
    mode = stat.S_IMODE(found.facts.st_mode)
    payload = hashlib.sha256(record("file", mode, 0, 0, name, found.sha256)).hexdigest()
    digest = of_directory(0o755, 0, 0, payload)
    store.put_memo("files", files_key(layer, ""), json.dumps({name: found.sha256}))
    trusted = signature(found.facts) if settled(found.facts, since) else ""
    store.put_result(key, "scan", {"stat": trusted, "digest": digest}, layers=(layer,))
    return Tree((layer,)), f"/{name}", digest


@dataclass(slots=True)
class _Item:
    """What one name in a directory is: kind "file", "symlink" or "dir"; `payload` as in `store.digest`."""

    kind: str
    mode: int
    stat: str
    payload: str


@dataclass(slots=True)
class _Folder:
    """A scanned directory: its Merkle hash, and whether that differs from last time's."""

    payload: str
    changed: bool


class _Scan:
    def __init__(
        self, store: Store, root: str, key: str, filters: Filter, rules: IgnoreRules | None, below: str
    ) -> None:
        self.store = store
        self.root = root
        self.key = key
        self.filter = filters
        self.rules = rules
        self.below = below
        self.since = time.time_ns()
        self.seen: Result | None = store.result(key)
        self.rows = store.memos(key)
        self.new_rows: dict[str, str] = {}
        self.kept: set[str] = set()
        self.changes = _Changes(store, root)

    def run(self) -> tuple[Tree, str]:
        try:
            ignored = bool(self.below) and self.rules is not None and self.rules.ignored("", is_dir=True)
            top = self.folder("", self.root, included=not ignored)
            layer = self.changes.commit()
        except BaseException:
            self.changes.discard()
            raise
        if top is None:
            raise NotFound(
                f"lstat {self.root}: no such file or directory: a .gitignore above it names it",
                reason="ignored",
                hint="take it out of the .gitignore, or leave gitignore away",
            )
        digest = of_directory(0o755, 0, 0, top.payload)
        layers = (*self.seen.layers, *((layer,) if layer else ())) if self.seen else ((layer,) if layer else ())
        if self.seen is not None and not layer and not self.new_rows and self.kept == self.rows.keys():
            return Tree(layers), digest
        tree = Tree(layers)
        if len(layers) > MAX_DELTAS:
            tree = self.store.flatten(tree)
        if tree.layers:
            key = directory_key(tuple((name, "") for name in reversed(tree.layers)))
            self.store.put_memo("dirs", key, top.payload)
        self.store.replace_result(
            self.seen,
            self.key,
            "scan",
            {"path": os.fsencode(self.root).decode(errors="replace"), "digest": digest},
            layers=tree.layers,
            memos=self.new_rows,
            gone=self.rows.keys() - self.kept,
        )
        return tree, digest

    def folder(self, rel: str, real: str, *, included: bool) -> _Folder | None:
        """Scan one directory; None when nothing in it is meant and it isn't itself."""
        with host_errors(real), os.scandir(real) as listing:
            entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
        if self.rules is not None:
            self._ignore_file(rel, entries)
        items: list[tuple[str, _Item, os.stat_result]] = []
        below: list[tuple[str, _Item, os.stat_result]] = []
        changed = False
        for entry in entries:
            path = f"{rel}/{entry.name}" if rel else entry.name
            if entry.is_dir(follow_symlinks=False):
                found = self._below(path, entry)
                if found is not None:
                    folder, facts = found
                    changed = changed or folder.changed
                    item = _Item("dir", stat.S_IMODE(facts.st_mode), "", folder.payload)
                    below.append((entry.name, item, facts))
            elif self.filter.match(path, False):
                with host_errors(entry.path):
                    facts = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode):
                    kind = "file" if stat.S_ISREG(facts.st_mode) else "symlink"
                    mode = stat.S_IMODE(facts.st_mode) if kind == "file" else _LINK_MODE
                    items.append((entry.name, _Item(kind, mode, signature(facts), ""), facts))
        if not included and not items and not below:
            return None
        self.kept.add(rel)
        shape = _shape(items, below)
        row = self.rows.get(rel)
        if row is not None and self.seen is not None and not changed:
            head = row[: row.index("\n")].split(" ")
            if head[0] == shape:
                return _Folder(head[1], changed=False)
        return self._compare(rel, real, row, shape, items, below)

    def _below(self, path: str, entry: os.DirEntry[str]) -> tuple[_Folder, os.stat_result] | None:
        included = self.filter.match(path, True)
        if not included and not self.filter.may_match_below(path):
            return None
        with host_errors(entry.path):
            facts = entry.stat(follow_symlinks=False)
        self.changes.facts[path] = facts
        folder = self.folder(path, entry.path, included=included)
        return None if folder is None else (folder, facts)

    def _ignore_file(self, rel: str, entries: list[os.DirEntry[str]]) -> None:
        for entry in entries:
            if entry.name == ".gitignore" and entry.is_file(follow_symlinks=False):
                assert self.rules is not None
                with host_errors(entry.path):
                    text = Path(entry.path).read_text(errors="replace")
                self.rules.add("/".join(each for each in (self.below, rel) if each), text.splitlines())

    def _compare(
        self,
        rel: str,
        real: str,
        row: str | None,
        shape: str,
        items: list[tuple[str, _Item, os.stat_result]],
        below: list[tuple[str, _Item, os.stat_result]],
    ) -> _Folder:
        """A directory that may differ from last time: read what does, stage it, and write its row anew."""
        before = _load(row)
        there = before if self.seen is not None else {}
        if row is None or self.seen is None:
            self.changes.directory(rel)
        trusted = True
        now: dict[str, _Item] = {}
        for name, item, facts in items:
            trusted = self._item(rel, real, name, item, facts, before.get(name), there.get(name)) and trusted
            now[name] = item
        for name, item, _ in below:
            was = there.get(name)
            if was is None or (was.kind, was.mode) != (item.kind, item.mode):
                self.changes.directory(f"{rel}/{name}" if rel else name)
            now[name] = item
        for name in there.keys() - now.keys():
            self.changes.remove(f"{rel}/{name}" if rel else name)
        payload = _hash(now)
        self.new_rows[rel] = _dump(shape if trusted else "-", payload, now)
        was_payload = row[: row.index("\n")].split(" ")[1] if row else ""
        return _Folder(payload, changed=payload != was_payload or self.seen is None)

    def _item(
        self,
        rel: str,
        real: str,
        name: str,
        item: _Item,
        facts: os.stat_result,
        known: _Item | None,
        there: _Item | None,
    ) -> bool:
        """Find a file's or link's payload and stage it when the tree hasn't got it; whether its stat can be trusted."""
        path = f"{real}/{name}"
        if item.kind == "symlink":
            with host_errors(path):
                item.payload = os.readlink(path)
            if not _same(there, item):
                self.changes.link(rel, name, item.payload, facts)
            return True
        if known is not None and known.stat == item.stat:
            item.payload = known.payload
            if _same(there, item):
                return True
        found = read_file(path, self.changes.scratch())
        item.payload = found.sha256
        item.mode = stat.S_IMODE(found.facts.st_mode)
        if _same(there, item):
            found.drop()
        else:
            self.changes.file(rel, name, found)
        fresh = not settled(found.facts, self.since)
        item.stat = "" if fresh else signature(found.facts)
        return not fresh and item.stat == signature(facts)


class _Changes:
    """The delta layer of a scan; made when there's something to put in."""

    def __init__(self, store: Store, root: str) -> None:
        self.store = store
        self.root = root
        self.facts: dict[str, os.stat_result] = {}
        self._staging: Staging | None = None
        self._made: dict[str, os.stat_result] = {}
        self._digests: dict[str, dict[str, str]] = {}
        self._owner = store.ids.outer(0)

    def scratch(self) -> str:
        """A place on the store's file system for a copy."""
        return f"{self._place().path}/large"

    def directory(self, rel: str) -> str:
        """A directory, with its parents, in the layer; answers its path."""
        fs = os.fspath(self._place().fs)
        if not rel:
            return fs
        missing = []
        while rel and rel not in self._made:
            missing.append(rel)
            rel = rel.rpartition("/")[0]
        for each in reversed(missing):
            os.mkdir(f"{fs}/{each}", 0o700)
            self._made[each] = self.facts[each]
        return f"{fs}/{missing[0] if missing else rel}"

    def file(self, rel: str, name: str, found: Stored) -> None:
        found.save(f"{self.directory(rel)}/{name}", self._owner, self._owner)
        self._digests.setdefault(rel, {})[name] = found.sha256

    def link(self, rel: str, name: str, target: str, facts: os.stat_result) -> None:
        path = f"{self.directory(rel)}/{name}"
        os.symlink(target, path)
        os.chown(path, self._owner, self._owner, follow_symlinks=False)
        os.utime(path, ns=(facts.st_mtime_ns, facts.st_mtime_ns), follow_symlinks=False)

    def remove(self, rel: str) -> None:
        """What the last scan had and is no more (or no longer meant)."""
        above, _, name = rel.rpartition("/")
        path = f"{self.directory(above)}/{name}"
        if rel in self._made:
            disk.remove_tree(path, self.store.home / "t")
            for made in [made for made in self._made if made == rel or made.startswith(rel + "/")]:
                del self._made[made]
        disk.whiteout(path)

    def commit(self) -> str:
        """The new layer's name; "" when nothing changed."""
        if self._staging is None:
            return ""
        fs = os.fspath(self._staging.fs)
        for rel, facts in sorted(self._made.items(), reverse=True):
            times = (facts.st_mtime_ns, facts.st_mtime_ns)
            disk.set_metadata(f"{fs}/{rel}", facts.st_mode, self._owner, self._owner, times)
        layer = self.store.commit(self._staging)
        self._staging = None
        if layer:
            rows = [(files_key(layer, rel), json.dumps(names)) for rel, names in self._digests.items()]
            self.store.put_memos("files", rows)
        return layer

    def discard(self) -> None:
        if self._staging is not None:
            self._staging.discard()
            self._staging = None

    def _place(self) -> Staging:
        if self._staging is None:
            self._staging = self.store.staging()
        return self._staging


def _same(there: _Item | None, item: _Item) -> bool:
    """Whether the tree has exactly this already."""
    return there is not None and (there.kind, there.mode, there.payload) == (item.kind, item.mode, item.payload)


def _shape(*groups: list[tuple[str, _Item, os.stat_result]]) -> str:
    """One hash of all stats in a directory: equal shapes need no second look."""
    hasher = hashlib.blake2b(digest_size=20)
    for group in groups:
        for name, item, _ in group:
            hasher.update(os.fsencode(f"{name}\0{item.kind} {item.mode} {item.stat}\0"))
        hasher.update(b"\1")
    return hasher.hexdigest()


def _hash(items: dict[str, _Item]) -> str:
    hasher = hashlib.sha256()
    for name in sorted(items, key=os.fsencode):
        item = items[name]
        hasher.update(record(item.kind, item.mode, 0, 0, name, item.payload))
    return hasher.hexdigest()


def _dump(shape: str, payload: str, items: dict[str, _Item]) -> str:
    facts = {name: [item.kind, item.mode, item.stat, item.payload] for name, item in items.items()}
    return f"{shape} {payload}\n{json.dumps(facts, separators=(',', ':'))}"


def _load(row: str | None) -> dict[str, _Item]:
    if row is None:
        return {}
    return {name: _Item(*facts) for name, facts in json.loads(row[row.index("\n") :]).items()}
