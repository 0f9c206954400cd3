"""Content keys: a Merkle hash of a file or directory, remembered for what layers don't change.

An entry is hashed as kind, mode, owner, name and payload: a file's sha256, a link's target, a directory's own hash of
its entries. Extended attributes count, overlayfs's own don't. Modification times and numbers of links don't.
Remembered: a directory by the layer directories it is merged from ("dirs"), a file's sha256 by its layer directory
("files"): one changed file among 10,000 costs its own content and the listing of the directories above it.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.store.disk import xattrs
from sealane_engine.store.paths import split

if TYPE_CHECKING:
    from sealane_engine.store.store import Store
    from sealane_engine.store.view import Entry, Node, TreeView

EMPTY_DIRECTORY = hashlib.sha256(b"").hexdigest()


def digest(view: TreeView, path: str) -> str:
    """Answer "sha256:…" of what is at `path` (links on the way followed): its metadata and all that it holds."""
    entry = view.stat(path)
    if entry is None:
        raise NotFound(f"stat {path}: no such file or directory")
    work = _Work(view)
    payload = work.directory(entry.path) if entry.kind == "dir" else work.payload(entry)
    work.remember()
    line = record(entry.kind, entry.mode, entry.uid, entry.gid, "", payload)
    return "sha256:" + hashlib.sha256(line).hexdigest()


def file_digest(view: TreeView, path: str) -> str:
    """Answer "sha256:…" of a file's bytes."""
    entry = view.stat(path)
    if entry is None:
        raise NotFound(f"stat {path}: no such file or directory")
    if entry.kind != "file":
        raise InvalidInput(f"path {path} is a {entry.kind}, not a file", reason="not-a-file")
    work = _Work(view)
    found = work.payload(entry)
    work.remember()
    return f"sha256:{found}"


def record(kind: str, mode: int, uid: int, gid: int, name: str, payload: str, attributes: str = "") -> bytes:
    """One entry's line. NUL ends the fields that may hold anything else."""
    head = f"{kind} {mode:o} {uid} {gid} "
    return b"\0".join((head.encode() + os.fsencode(name), os.fsencode(payload), attributes.encode())) + b"\0"


def of_directory(mode: int, uid: int, gid: int, payload: str) -> str:
    """The content key of a directory whose entries hash to `payload`."""
    return "sha256:" + hashlib.sha256(record("dir", mode, uid, gid, "", payload)).hexdigest()


def attributes(real: str) -> str:
    """Extended attributes as text, "" for none. A file capability's namespace id is left out: it says who runs us."""
    names = xattrs(real)
    found = []
    for name in names:
        value = os.getxattr(real, name, follow_symlinks=False)
        if name == "security.capability" and len(value) == 24:
            value = value[:3] + b"\2" + value[4:20]  # revision 3 without its root id is revision 2
        found.append(f"{name}={value.hex()}")
    return ",".join(found)


def directory_key(sources: tuple[tuple[str, str], ...]) -> str:
    """The memo key of a merged directory; begins with its top layer's name, by which pruning finds it."""
    return f"{sources[0][0].partition('/')[0]}:{json.dumps(sources)}"


def files_key(layer: str, directory: str) -> str:
    return f"{layer.partition('/')[0]}:{json.dumps(f'{layer}/{directory}'.rstrip('/'))}"


class _Work:
    """One computation: what it found is remembered at the end in two transactions."""

    def __init__(self, view: TreeView) -> None:
        self.view = view
        self.store: Store = view.store
        self._directories: list[tuple[str, str]] = []
        self._files: dict[tuple[str, str], dict[str, str]] = {}
        self._changed: set[tuple[str, str]] = set()

    def remember(self) -> None:
        self.store.put_memos("dirs", self._directories)
        self.store.put_memos("files", [(files_key(*key), json.dumps(self._files[key])) for key in self._changed])

    def directory(self, path: str) -> str:
        """The hash of a directory's entries; no recursion, for trees may be deeper than Python's stack."""
        done: dict[str, str] = {}
        listed: dict[str, list[Entry]] = {}
        todo = [path]
        while todo:
            here = todo[-1]
            node = self.view.node(here)
            if node is None or not node.sources:
                done[here] = EMPTY_DIRECTORY
            else:
                known = self._known(node)
                if known is None:
                    entries = listed.pop(here, None) or self.view.scandir(here)
                    missing = [entry.path for entry in entries if entry.kind == "dir" and entry.path not in done]
                    if missing:
                        listed[here] = entries
                        todo += missing
                        continue
                    known = self._hash(entries, done)
                    self._directories.append((directory_key(node.sources), known))
                done[here] = known
            todo.pop()
        return done[path]

    def payload(self, entry: Entry) -> str:
        """What stands for the content of something that is no directory."""
        if entry.kind == "file":
            return self._file(entry)
        if entry.kind == "symlink":
            return os.readlink(entry.real)
        if entry.kind in ("char", "block"):
            assert entry.facts is not None
            return str(entry.facts.st_rdev)
        return ""

    def _known(self, node: Node) -> str | None:
        return self.store.memo("dirs", directory_key(node.sources)) if node.sources[0][0] else None

    def _hash(self, entries: list[Entry], done: dict[str, str]) -> str:
        hasher = hashlib.sha256()
        for entry in sorted(entries, key=lambda entry: os.fsencode(entry.name)):
            payload = done[entry.path] if entry.kind == "dir" else self.payload(entry)
            line = record(entry.kind, entry.mode, entry.uid, entry.gid, entry.name, payload, attributes(entry.real))
            hasher.update(line)
        return hasher.hexdigest()

    def _file(self, entry: Entry) -> str:
        root = self.view.real(entry.layer, "")
        place = (entry.layer, split(entry.real[len(root) :])[0].lstrip("/"))
        files = self._files.get(place)
        if files is None:
            known = self.store.memo("files", files_key(*place)) if entry.layer else None
            files = self._files[place] = json.loads(known) if known else {}
        found = files.get(entry.name)
        if found is None:
            found = files[entry.name] = hash_file(entry.real)
            if entry.layer:
                self._changed.add(place)
        return found


def hash_file(real: str) -> str:
    with open(os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
