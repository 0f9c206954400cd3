"""Copying a directory into another by stacking its layers, each put under the destination once and remembered.

A directory of 10,000 files and a delta of one becomes two layers: the second copy after a change makes only the delta's.
That is the same as merging entry by entry (merge.py) unless the destination has something that a layer's whiteout or
opaque directory would hide, or a link where the source has a directory; then the answer is None: merge.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane_engine.store import disk
from sealane_engine.store.digest import attributes, files_key
from sealane_engine.store.merge import Rules
from sealane_engine.store.modes import given
from sealane_engine.store.paths import join, parts
from sealane_engine.store.view import Entry, Source, TreeView

if TYPE_CHECKING:
    from sealane_engine.store.edit import Editor
    from sealane_engine.store.store import Store

_VERSION = 1

Metadata = tuple[int, int, int, str]
"""Mode, inner uid and gid, extended attributes of a directory on the way to the destination. Its time is no part: what
is put into a directory changes that anyway."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What matters about one directory of a layer when it's stacked on something. Paths are relative to it."""

    directories: tuple[str, ...]
    cuts: tuple[str, ...]
    """Whiteouts and opaque directories."""


def prefixed(editor: Editor, source: TreeView, path: str, dest: str, rules: Rules) -> tuple[str, ...] | None:
    """Layers that, put on the editor's tree, copy the directory `path` of `source` to `dest`; None: merge instead."""
    node = source.node(path)
    view = editor.view
    target = view.resolve(dest)
    above = _way(view, target)
    there = view.exact(target)
    if node is None or above is None or not _can_filter(rules, len(node.sources)):
        return None
    sources = list(reversed(node.sources))
    if not sources or (there is not None and there.kind != "dir"):
        return None
    if there is not None and view.listdir(target) and not _stacks(editor, sources, target):
        return None
    return tuple(_layer(editor.store, view, found, target, above, rules) for found in sources)


def _way(view: TreeView, target: str) -> list[Metadata | None] | None:
    """Metadata of the directories down to the destination (None: it's missing); None when a file is in the way."""
    found: list[Metadata | None] = [_metadata(view.exact("/"))]
    here = "/"
    for name in parts(target)[:-1]:
        here = join(here, name)
        entry = view.exact(here)
        if entry is not None and entry.kind != "dir":
            return None
        found.append(_metadata(entry))
    return found


def _metadata(entry: Entry | None) -> Metadata | None:
    return None if entry is None or entry.facts is None else (entry.mode, entry.uid, entry.gid, attributes(entry.real))


def _can_filter(rules: Rules, layers: int) -> bool:
    match = rules.match
    return match is None or (bool(match.key) and (match.by_path or layers == 1))


def _stacks(editor: Editor, sources: list[Source], target: str) -> bool:
    """Whether the layers may lie on what the destination has."""
    view = editor.view
    directories: set[str] = set()
    for number, source in enumerate(sources):
        facts = _facts(editor.store, source)
        if number and any(view.exact(join(target, cut)) is not None for cut in facts.cuts):
            return False
        directories.update(facts.directories)
    for directory in directories:
        there = view.exact(join(target, directory))
        if there is not None and there.kind == "symlink":
            return False
    return not _changes_kind(editor, sources, target, directories)


def _changes_kind(editor: Editor, sources: list[Source], target: str, directories: set[str]) -> bool:
    """Whether a directory that both sides have was a file in a lower layer of the source: it would hide ours."""
    if len(sources) == 1:
        return False
    for directory in directories:
        if editor.view.node(join(target, directory)) is None:
            continue
        for layer, rel in sources:
            real = os.path.join(editor.view.real(layer, rel), directory)
            if os.path.lexists(real) and not stat.S_ISDIR(os.lstat(real).st_mode):
                return True
    return False


def _facts(store: Store, source: Source) -> Facts:
    key = files_key(*source)
    known = store.memo("facts", key)
    if known is not None:
        directories, cuts = json.loads(known)
        return Facts(tuple(directories), tuple(cuts))
    root = os.fspath(store.layer_path(source[0]) / source[1])
    found: list[str] = []
    cut: list[str] = []
    todo = [""]
    while todo:
        here = todo.pop()
        with os.scandir(f"{root}/{here}" if here else root) as entries:
            for entry in entries:
                relative = f"{here}/{entry.name}" if here else entry.name
                if entry.is_dir(follow_symlinks=False):
                    found.append(relative)
                    todo.append(relative)
                    if disk.is_opaque(entry.path):
                        cut.append(relative)
                elif not entry.is_file(follow_symlinks=False) and disk.is_whiteout(entry.stat(follow_symlinks=False)):
                    cut.append(relative)
    store.put_memo("facts", key, json.dumps([found, cut]))
    return Facts(tuple(found), tuple(cut))


def _layer(
    store: Store, view: TreeView, source: Source, target: str, above: list[Metadata | None], rules: Rules
) -> str:
    """One layer of the source under the destination: made now, or remembered."""
    if _is_as_it_is(store, view, source, target, rules):
        return source[0]
    filter_key = rules.match.key if rules.match is not None else ""
    identity = [_VERSION, source, target, above, rules.uid, rules.gid, str(rules.mode), filter_key]
    key = "copy:" + hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    known = store.result(key)
    if known is not None:
        return str(known.value)
    layer = _Build(store, view, source, target, rules).run()
    store.put_result(key, "copy", layer, layers=(layer,) if layer else (), inputs=None)
    return layer


def _is_as_it_is(store: Store, view: TreeView, source: Source, target: str, rules: Rules) -> bool:
    """Whether the layer itself can be used: the whole of it, to the root, unchanged."""
    if target != "/" or source[1] or rules != Rules():
        return False
    root = view.exact("/")
    facts = os.stat(store.layer_path(source[0]))
    ids = store.ids
    assert root is not None
    ours = (root.mode, root.uid, root.gid)
    return ours == (stat.S_IMODE(facts.st_mode), ids.inner(facts.st_uid), ids.inner(facts.st_gid))


class _Build:
    """Makes one prefixed layer by walking the source layer as it is on disk, whiteouts and all."""

    def __init__(self, store: Store, view: TreeView, source: Source, target: str, rules: Rules) -> None:
        self.store = store
        self.view = view
        self.origin = source
        self.source = os.fspath(store.layer_path(source[0]) / source[1])
        self.made: list[str] = []
        self.target = target
        self.rules = rules
        self.times: list[tuple[str, tuple[int, int]]] = []

    def run(self) -> str:
        staging = self.store.staging(self.view)
        try:
            with disk.guarded(self.store.home):
                root = self._way(os.fspath(staging.fs))
                self._fill(root)
                for path, times in reversed(self.times):
                    os.utime(path, ns=times)
            layer = self.store.commit(staging)
        except BaseException:
            staging.discard()
            raise
        if layer:
            self._carry_digests(layer)
        return layer

    def _carry_digests(self, layer: str) -> None:
        """What is known of the source's files is true of their copies."""
        name, rel = self.origin
        rows = []
        for directory in ("", *self.made):
            known = self.store.memo("files", files_key(name, "/".join(part for part in (rel, directory) if part)))
            if known is not None:
                place = "/".join(part for part in (self.target[1:], directory) if part)
                rows.append((files_key(layer, place), known))
        self.store.put_memos("files", rows)

    def _way(self, fs: str) -> str:
        """The destination in the new layer, its parents as the tree has them."""
        ids = self.store.ids
        names = parts(self.target)
        here, real = "/", fs
        for name in names[:-1]:
            here, real = join(here, name), f"{real}/{name}"
            os.mkdir(real, 0o700)
            entry = self.view.exact(here)
            if entry is None or entry.facts is None:
                disk.set_metadata(real, stat.S_IFDIR | 0o755, ids.outer(0), ids.outer(0), None)
            else:
                disk.copy_xattrs(entry.real, real)
                times = (entry.facts.st_atime_ns, entry.mtime_ns)
                disk.set_metadata(real, entry.facts.st_mode, entry.facts.st_uid, entry.facts.st_gid, times)
        if names:
            real = f"{real}/{names[-1]}"
            os.mkdir(real, 0o700)
            self._directory(self.source, os.stat(self.source), real)
        return real

    def _fill(self, root: str) -> None:
        rules = self.rules
        todo = [""]
        pending: dict[str, os.stat_result] = {}
        while todo:
            here = todo.pop()
            with os.scandir(f"{self.source}/{here}" if here else self.source) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
            for entry in found:
                relative = f"{here}/{entry.name}" if here else entry.name
                facts = entry.stat(follow_symlinks=False)
                is_dir = stat.S_ISDIR(facts.st_mode)
                included = rules.included(relative, is_dir)
                if is_dir and (included or rules.entered(relative)):
                    todo.append(relative)
                    pending[relative] = facts
                if included:
                    self._parents(root, relative, pending)
                    if not is_dir:
                        self._other(entry.path, facts, f"{root}/{relative}")

    def _parents(self, root: str, relative: str, pending: dict[str, os.stat_result]) -> None:
        """Make directories that now have something included in them (or are included themselves)."""
        missing = []
        while relative:
            if relative in pending:
                missing.append(relative)
            relative = relative.rpartition("/")[0]
        for path in reversed(missing):
            real = f"{root}/{path}"
            os.mkdir(real, 0o700)
            source = f"{self.source}/{path}"
            self._directory(source, pending.pop(path), real)
            self.made.append(path)
            if disk.is_opaque(source):
                disk.set_opaque(real)

    def _directory(self, source: str, facts: os.stat_result, real: str) -> None:
        disk.copy_xattrs(source, real)
        times = (facts.st_atime_ns, facts.st_mtime_ns)
        uid, gid, mode = self._owner_and_mode(facts)
        disk.set_metadata(real, stat.S_IFDIR | mode, uid, gid, times)
        self.times.append((real, times))

    def _other(self, source: str, facts: os.stat_result, real: str) -> None:
        if disk.is_whiteout(facts):
            disk.whiteout(real)
            return
        uid, gid, mode = self._owner_and_mode(facts)
        same = (uid, gid, mode) == (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode))
        if same and disk.link(source, real):
            return
        disk.copy_node(source, facts, real)
        disk.copy_xattrs(source, real)
        times = (facts.st_atime_ns, facts.st_mtime_ns)
        disk.set_metadata(real, stat.S_IFMT(facts.st_mode) | mode, uid, gid, times)

    def _owner_and_mode(self, facts: os.stat_result) -> tuple[int, int, int]:
        """Outer ids and permission bits that the rules give."""
        rules, ids = self.rules, self.store.ids
        bits = stat.S_IMODE(facts.st_mode)
        mode = bits if stat.S_ISLNK(facts.st_mode) else given(rules.mode, bits, is_dir=stat.S_ISDIR(facts.st_mode))
        return (
            facts.st_uid if rules.uid is None else ids.outer(rules.uid),
            facts.st_gid if rules.gid is None else ids.outer(rules.gid),
            mode,
        )
