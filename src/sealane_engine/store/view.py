"""Reading a tree without mounting it: layers are merged as overlayfs would, links never lead out of the tree.

A path is resolved one name at a time through merged listings, so that a link inside a layer is never followed by the
kernel: `l/ID/a/b` is only ever opened when `a` was seen to be a directory of that layer.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.store.disk import is_opaque
from sealane_engine.store.listing import DIRECTORY, OTHER, WHITEOUT, Names, kind_on_disk, read
from sealane_engine.store.paths import clean, join, parts, split
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

    from sealane_engine.store.store import Store

Kind = Literal["file", "dir", "symlink", "fifo", "char", "block", "socket"]

_KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFSOCK: "socket",
}
_MAX_LINKS = 255


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a tree. `mode` is permission bits; `uid` and `gid` are the step's (inner) ids.

    `real` is the path on disk in `layer`; both are "" for the root of an empty tree, whose `facts` are None.
    """

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    layer: str
    real: str
    facts: os.stat_result | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def is_dir(self) -> bool:
        return self.kind == "dir"


Source = tuple[str, str]
"""A directory of one layer: the layer ("" for an editor's staging) and the path in it, "" for its root."""


class Node:
    """A merged directory: where it comes from, top first, and what each name is."""

    __slots__ = ("entries", "names", "sources")

    def __init__(self, sources: tuple[Source, ...], names: tuple[Names, ...]) -> None:
        self.sources = sources
        self.names = names
        self.entries: dict[str, int] = {}
        for index, listing in enumerate(names):
            for name in listing:
                self.entries.setdefault(name, index)
        for name in [name for name, index in self.entries.items() if names[index][name] == WHITEOUT]:
            del self.entries[name]

    def set_top(self, name: str, kind: str | None) -> None:
        """The first source's directory now has `name` as this kind, or (None) no longer has it."""
        if kind is None:
            self.names[0].pop(name, None)
        else:
            self.names[0][name] = kind
        self.entries.pop(name, None)
        for index, listing in enumerate(self.names):
            if name in listing:
                if listing[name] != WHITEOUT:
                    self.entries[name] = index
                break

    def kind(self, name: str) -> str | None:
        """DIRECTORY or OTHER; None when the directory has no such name."""
        index = self.entries.get(name)
        return None if index is None else self.names[index][name]


class TreeView:
    """A read-only view of a tree. Cheap to make; remembers what it has listed. Threads may share one (but not an editor).

    `top`: a directory above all layers that still changes (an editor's); `changed` says where.
    """

    def __init__(self, store: Store, tree: Tree, top: Path | None = None) -> None:
        self.store = store
        self.tree = tree
        self._home = os.fspath(store.home)
        self._top = None if top is None else os.fspath(top)
        self._nodes: dict[str, Node] = {}
        self._below: dict[str, set[str]] = {}

    # ------------------------------------------------------------ looking
    def lstat(self, path: str) -> Entry | None:
        """The entry at a path; a link at its end is not followed, links before it are."""
        path = clean(path)
        found = self.exact(path)
        if found is None and path != "/":
            directory, name = split(path)
            real = self.resolve(directory)
            found = self.exact(join(real, name)) if real != directory else None
        return found

    def stat(self, path: str) -> Entry | None:
        """The entry at a path, links followed (inside the tree)."""
        return self.exact(self.resolve(path))

    def resolve(self, path: str) -> str:
        """The path with all links followed inside the tree. What doesn't exist is kept as it is written."""
        todo = parts(clean(path))[::-1]
        here = "/"
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                here = split(here)[0]
                continue
            node = self.node(here)
            if node is None or node.kind(name) != OTHER:
                here = join(here, name)
                continue
            target = self._link(node, name)
            if target is None:
                here = join(here, name)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise InvalidInput(f"stat {path}: too many levels of symbolic links", reason="link-loop")
            if target.startswith("/"):
                here = "/"
            todo += [part for part in reversed(target.split("/")) if part not in ("", ".")]
        return here

    def exact(self, path: str) -> Entry | None:
        """The entry at a clean path, no link followed anywhere."""
        if path == "/":
            return self._root()
        directory, name = split(path)
        node = self.node(directory)
        return None if node is None else self.child(directory, node, name)

    def exists(self, path: str) -> bool:
        return self.stat(path) is not None

    def listdir(self, path: str = "/") -> list[str]:
        """Names in a directory, sorted."""
        return sorted(self._directory(path)[1].entries)

    def scandir(self, path: str = "/") -> list[Entry]:
        """Entries of a directory, sorted by name."""
        real, node = self._directory(path)
        return [entry for name in sorted(node.entries) if (entry := self.child(real, node, name))]

    def walk(self, path: str = "/", enter: Callable[[Entry], bool] | None = None) -> Iterator[tuple[str, Entry]]:
        """Everything below a directory, each directory before what it holds, names sorted. `enter` says whether to go
        into a directory (default: always); the directory itself is answered anyway.
        """
        real, _ = self._directory(path)
        todo: list[Iterator[Entry]] = [iter(self.scandir(real))]
        while todo:
            entry = next(todo[-1], None)
            if entry is None:
                todo.pop()
                continue
            yield entry.path, entry
            if entry.kind == "dir" and (enter is None or enter(entry)):
                todo.append(iter(self.scandir(entry.path)))

    # ------------------------------------------------------------ reading
    def open(self, path: str) -> BinaryIO:
        """A file's content."""
        entry = self.stat(path)
        if entry is None:
            raise _missing("open", path)
        if entry.kind == "dir":
            raise InvalidInput(f"open {path}: is a directory", reason="is-a-directory")
        if entry.kind != "file":
            raise InvalidInput(f"open {path}: is a {entry.kind}, not a file", reason="not-a-file")
        return open(os.open(entry.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")

    def read(self, path: str) -> bytes:
        with self.open(path) as file:
            return file.read()

    def readlink(self, path: str) -> str:
        entry = self.lstat(path)
        if entry is None:
            raise _missing("readlink", path)
        if entry.kind != "symlink":
            raise InvalidInput(f"readlink {path}: not a symbolic link", reason="not-a-link")
        return os.readlink(entry.real)

    def subtree(self, path: str = "/") -> tuple[str, ...]:
        """Directories relative to the store's home, bottom first, whose overlay shows that directory; () if empty."""
        node = self._directory(path)[1]
        return tuple(f"l/{layer}/{rel}" if rel else f"l/{layer}" for layer, rel in reversed(node.sources))

    def digest(self, path: str = "/") -> str:
        """Content key of a file or directory: names, kinds, modes, owners, contents, link targets; no times."""
        from sealane_engine.store.digest import digest

        return digest(self, path)

    def file_digest(self, path: str) -> str:
        """sha256 of a file's bytes alone, remembered."""
        from sealane_engine.store.digest import file_digest

        return file_digest(self, path)

    def glob(self, pattern: str, path: str = "/") -> list[str]:
        """Paths below `path` that match, relative to it, directories with a slash at the end; in walking order."""
        from sealane_engine.store.glob import glob

        return glob(self, pattern, path)

    # ------------------------------------------------------------ inside
    def node(self, path: str) -> Node | None:
        """The merged directory at a clean path without links; None when there is none."""
        found = self._nodes.get(path)
        if found is not None:
            return found
        if path == "/":
            sources = [(layer, "") for layer in reversed(self.tree.layers)]
            if self._top is not None:
                sources.insert(0, ("", ""))
        else:
            directory, name = split(path)
            parent = self.node(directory)
            if parent is None or parent.kind(name) != DIRECTORY:
                return None
            sources = self._sources(parent, name)
            self._below.setdefault(directory, set()).add(path)
        node = Node(tuple(sources), tuple(self._list(source) for source in sources))
        self._nodes[path] = node
        return node

    def child(self, directory: str, node: Node, name: str) -> Entry | None:
        """One entry of a merged directory."""
        index = node.entries.get(name)
        if index is None:
            return None
        layer, rel = node.sources[index]
        real = f"{self.real(layer, rel)}/{name}"
        return self._entry(join(directory, name), layer, real)

    def real(self, layer: str, rel: str) -> str:
        """Where a directory of a layer is on disk."""
        root = f"{self._home}/l/{layer}" if layer else self._top or ""
        return f"{root}/{rel}" if rel else root

    def changed(self, path: str) -> None:
        """Forget what was listed at a path and below it: the editor changed the staging there."""
        todo = [path]
        while todo:
            here = todo.pop()
            self._nodes.pop(here, None)
            todo += self._below.pop(here, ())
        directory, name = split(path)
        node = self._nodes.get(directory)
        if node is None or not name:
            return
        if node.sources and node.sources[0][0] == "":
            node.set_top(name, kind_on_disk(f"{self.real(*node.sources[0])}/{name}"))
        else:
            del self._nodes[directory]

    def _sources(self, parent: Node, name: str) -> list[Source]:
        """Where a child directory comes from: down to the first layer that says what lies below doesn't count."""
        found: list[Source] = []
        having = [index for index, names in enumerate(parent.names) if name in names]
        for index in having:
            if parent.names[index][name] != DIRECTORY:
                break
            layer, rel = parent.sources[index]
            source = (layer, f"{rel}/{name}" if rel else name)
            found.append(source)
            if index != having[-1] and is_opaque(self.real(*source)):
                break
        return found

    def _list(self, source: Source) -> Names:
        real = self.real(*source)
        return self.store.listings.get(real) if source[0] else read(real)

    def _link(self, node: Node, name: str) -> str | None:
        layer, rel = node.sources[node.entries[name]]
        try:
            return os.readlink(f"{self.real(layer, rel)}/{name}")
        except OSError:
            return None

    def _directory(self, path: str) -> tuple[str, Node]:
        real = self.resolve(path)
        node = self.node(real)
        if node is None:
            if self.exact(real) is None:
                raise _missing("open", path)
            raise InvalidInput(f"open {path}: not a directory", reason="not-a-directory")
        return real, node

    def _root(self) -> Entry:
        if self._top is not None:
            return self._entry("/", "", self._top)
        if not self.tree.layers:
            return Entry("/", "dir", 0o755, 0, 0, 0, 0, "", "")
        layer = self.tree.layers[-1]
        return self._entry("/", layer, self.real(layer, ""))

    def _entry(self, path: str, layer: str, real: str) -> Entry:
        facts = os.lstat(real)
        ids = self.store.ids
        return Entry(
            path,
            _KINDS[stat.S_IFMT(facts.st_mode)],
            stat.S_IMODE(facts.st_mode),
            ids.inner(facts.st_uid),
            ids.inner(facts.st_gid),
            facts.st_size,
            facts.st_mtime_ns,
            layer,
            real,
            facts,
        )


def _missing(operation: str, path: str) -> NotFound:
    return NotFound(f"{operation} {path}: no such file or directory")
