"""Changing a tree by file operations alone: the outcome is the base with delta layers on top; nothing is mounted.

What each operation does to what is already there follows Dagger 0.21: directories merge, a file copied over a directory
or a link replaces it, a new file over a link writes through it, `..` and links stay inside the tree.
File contents are shared between layers by hard links where owner, mode and times agree; layers never change.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.store import disk
from sealane_engine.store.merge import Match, Rules, as_match, merge
from sealane_engine.store.modes import Mode
from sealane_engine.store.paths import clean, join, names_directory, parts, split
from sealane_engine.store.prefix import prefixed
from sealane_engine.store.tree import Tree
from sealane_engine.store.view import Entry, TreeView

if TYPE_CHECKING:
    from sealane_engine.store.layers import Staging
    from sealane_engine.store.store import Store


class Editor:
    """Changes to a base tree. Inside the `with`, operations see each other; after it, `tree` is the outcome."""

    def __init__(self, store: Store, base: Tree, *, root: TreeView | None = None) -> None:
        """`root`: the tree whose root directory's mode and owner new layers have (default: the base's)."""
        self.store = store
        self._root = root
        self._layers = base.layers
        self._staging: Staging | None = None
        self._made: set[str] = set()
        self.lower = TreeView(store, base)
        """What lies below the layer that is being made."""
        self.view = self.lower
        """The tree as it is now."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        elif self._staging is not None:
            self._staging.discard()
            self._staging = None

    @property
    def tree(self) -> Tree:
        """The tree with all changes made so far; the base itself when there were none."""
        self._flush()
        return Tree(self._layers)

    # ------------------------------------------------------------ operations
    def write(
        self, path: str, data: bytes | BinaryIO, mode: int = 0o644, uid: int | None = None, gid: int | None = None
    ) -> None:
        """A file with this content. One that exists keeps its mode, and its owner if none is given."""
        if names_directory(path):
            raise InvalidInput(f"open {clean(path)}: is a directory", reason="is-a-directory")
        target = self.view.resolve(path)
        there = self.view.exact(target)
        if there is not None and there.kind == "dir":
            raise InvalidInput(f"open {target}: is a directory", reason="is-a-directory")
        if there is not None and there.kind == "file":
            mode = there.mode
            uid = there.uid if uid is None else uid
            gid = there.gid if gid is None else gid
        self.make_directories(split(target)[0], 0o755)
        real = self.place(target)
        with disk.guarded(self.store.home):
            writer = os.open(real, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(writer, "wb") as out:
                if isinstance(data, bytes):
                    out.write(data)
                else:
                    while piece := data.read(1 << 20):
                        out.write(piece)
            disk.set_metadata(real, stat.S_IFREG | mode, self._outer(uid), self._outer(gid), None)
        self.view.changed(target)

    def mkdir(self, path: str, mode: int = 0o755, uid: int | None = None, gid: int | None = None) -> None:
        """A directory, with its parents, all with this mode and owner; one that exists stays as it is."""
        self.make_directories(self.view.resolve(path), mode, uid, gid)

    def symlink(self, target: str, path: str) -> None:
        """A symbolic link; its parents are made if missing. Something that exists at `path` is an error."""
        place = self._unfollowed(path)
        if place == "/" or self.view.exact(place) is not None:
            raise InvalidInput(f"symlink {target} {place}: file exists", reason="exists", hint="remove it first")
        if not target:
            raise InvalidInput(f"symlink {target!r} {place}: no such file or directory", reason="bad-path")
        self.make_directories(split(place)[0], 0o755)
        real = self.place(place)
        with disk.guarded(self.store.home):
            os.symlink(target, real)
            os.chown(real, self._outer(0), self._outer(0), follow_symlinks=False)
        self.view.changed(place)

    def remove(self, path: str) -> bool:
        """Remove a file, a link (not its target) or a whole directory; False when nothing was there."""
        place = self._unfollowed(path)
        if place == "/":
            removed = [self.remove(join("/", name)) for name in self.view.listdir("/")]
            return any(removed)
        if self.view.exact(place) is None:
            return False
        below = self.lower.exact(place) is not None
        if below:
            self.copy_up(split(place)[0])
        with disk.guarded(self.store.home):
            real = self.place(place)
            if below:
                disk.whiteout(real)
        self.view.changed(place)
        return True

    def copy(
        self,
        source: TreeView,
        source_path: str,
        dest: str,
        *,
        match: Match | Callable[[str, bool], bool] | None = None,
        uid: int | None = None,
        gid: int | None = None,
        mode: Mode = None,
    ) -> None:
        """Copy a file or what a directory holds. `uid`, `gid` and `mode` are given to everything copied.

        A directory is merged into `dest`. A file goes into `dest` when that is a directory or ends with a slash,
        otherwise it becomes `dest`.
        """
        found = source.stat(source_path)
        if found is None:
            raise NotFound(f"stat {source_path}: no such file or directory")
        rules = Rules(as_match(match), uid, gid, mode)
        if found.kind != "dir":
            self._copy_file(found, split(clean(source_path))[1], dest, rules)
            return
        layers = prefixed(self, source, found.path, clean(dest), rules)
        if layers is None:
            merge(self, source, found.path, clean(dest), rules)
        else:
            self.append(layers)

    def chown(self, path: str, uid: int, gid: int, *, recursive: bool = True) -> None:
        """Give a path, and all below it, to an owner; links themselves, not their targets."""
        start = self.view.stat(path)
        if start is None:
            raise NotFound(f"lstat {path}: no such file or directory")
        for entry in self._all(start, recursive=recursive):
            if (entry.uid, entry.gid) != (uid, gid):
                self._rewrite(entry, uid, gid, None)

    def restore(self, entry: Entry) -> None:
        """Give a directory of the tree the owner and mode of `entry`, which it was before."""
        self.copy_up(entry.path)
        with disk.guarded(self.store.home):
            owner = self._outer(entry.uid), self._outer(entry.gid)
            disk.set_metadata(self.real(entry.path), stat.S_IFDIR | entry.mode, *owner, None)
        self.view.changed(entry.path)

    def utime(self, path: str, seconds: int) -> None:
        """Set the modification time of a path and all below it."""
        start = self.view.stat(path)
        if start is None:
            raise NotFound(f"lstat {path}: no such file or directory")
        stamp = seconds * 1_000_000_000
        for entry in reversed(self._all(start, recursive=True)):
            if entry.mtime_ns != stamp:
                self._rewrite(entry, None, None, (stamp, stamp))

    # ------------------------------------------------------------ for merge and prefix
    def append(self, layers: tuple[str, ...]) -> None:
        """Put whole layers on top of what there is."""
        self._flush()
        self._layers = (*self._layers, *(layer for layer in layers if layer))
        self._reset()

    def real(self, path: str) -> str:
        """Where a path is in the layer that is being made."""
        return f"{self._top()}{path}" if path != "/" else self._top()

    def place(self, path: str) -> str:
        """Its place in the new layer, free for something new; its directory is copied up."""
        self.copy_up(split(path)[0])
        real = self.real(path)
        try:
            facts = os.lstat(real)
        except FileNotFoundError:
            return real
        if stat.S_ISDIR(facts.st_mode):
            disk.remove_tree(real, self.store.home / "t")
            self._made = {made for made in self._made if made != path and not made.startswith(path + "/")}
        else:
            os.unlink(real)
        return real

    def copy_up(self, path: str) -> None:
        """Have a directory that exists in the tree in the new layer too, as it is."""
        missing = []
        while path not in self._made and path != "/":
            missing.append(path)
            path = split(path)[0]
        self._top()
        for directory in reversed(missing):
            entry = self.view.exact(directory)
            assert entry is not None
            assert entry.facts is not None
            real = self.real(directory)
            os.mkdir(real, 0o700)
            disk.copy_xattrs(entry.real, real)
            facts = entry.facts
            times = (facts.st_atime_ns, facts.st_mtime_ns)
            disk.set_metadata(real, facts.st_mode, facts.st_uid, facts.st_gid, times)
            self._made.add(directory)
            self.view.changed(directory)

    def new_directory(self, path: str, mode: int, uid: int, gid: int) -> str:
        """A new, empty directory at a place where the tree has none; answers its path on disk."""
        hides = self.lower.exact(path) is not None
        real = self.place(path)
        with disk.guarded(self.store.home):
            os.mkdir(real, 0o700)
            if hides:
                disk.set_opaque(real)
            disk.set_metadata(real, stat.S_IFDIR | mode, self._outer(uid), self._outer(gid), None)
        self._made.add(path)
        self.view.changed(path)
        return real

    def make_directories(self, path: str, mode: int, uid: int | None = None, gid: int | None = None) -> None:
        """A resolved path and its missing parents."""
        here = "/"
        for name in parts(path):
            here = join(here, name)
            there = self.view.exact(here)
            if there is None:
                self.new_directory(here, mode, uid or 0, gid or 0)
            elif there.kind != "dir":
                raise InvalidInput(
                    f"mkdir {here}: not a directory", reason="not-a-directory", hint="remove the file first"
                )

    def put(self, entry: Entry, path: str, rules: Rules) -> None:
        """Make `path` (its directory is in the new layer) what `entry`, no directory, is."""
        facts = entry.facts
        assert facts is not None
        real = self.real(path)
        uid, gid, mode = rules.owner_and_mode(entry)
        same = (uid, gid, mode) == (entry.uid, entry.gid, entry.mode)
        try:
            if same and disk.link(entry.real, real):
                return
            disk.copy_node(entry.real, facts, real)
        except FileExistsError:
            self.place(path)
            self.put(entry, path, rules)
            return
        disk.copy_xattrs(entry.real, real)
        times = (facts.st_atime_ns, facts.st_mtime_ns)
        disk.set_metadata(real, stat.S_IFMT(facts.st_mode) | mode, self._outer(uid), self._outer(gid), times)

    # ------------------------------------------------------------ inside
    def _copy_file(self, found: Entry, name: str, dest: str, rules: Rules) -> None:
        target = clean(dest)
        there = self.view.stat(target)
        if names_directory(dest) and target != "/":
            self.make_directories(self.view.resolve(target), 0o755, rules.uid, rules.gid)
            target = join(self.view.resolve(target), name)
        elif there is not None and there.kind == "dir":
            target = join(there.path, name)
        target = self._unfollowed(target)
        self.make_directories(split(target)[0], 0o755)
        with disk.guarded(self.store.home):
            self.place(target)
            self.put(found, target, rules)
        self.view.changed(target)

    def _rewrite(self, entry: Entry, uid: int | None, gid: int | None, times: tuple[int, int] | None) -> None:
        """Have an entry in the new layer with another owner or time, in a file of its own."""
        facts = entry.facts
        with disk.guarded(self.store.home):
            if entry.kind == "dir":
                self.copy_up(entry.path)
                real = self.real(entry.path)
                mode = stat.S_IFDIR | entry.mode
            else:
                assert facts is not None
                self.copy_up(split(entry.path)[0])
                real = self.real(entry.path)
                fresh = f"{self._top()}/../fresh"
                disk.copy_node(entry.real, facts, fresh)
                disk.copy_xattrs(entry.real, fresh)
                os.rename(fresh, real)
                mode = facts.st_mode
            if times is None and facts is not None:
                times = (facts.st_atime_ns, facts.st_mtime_ns)
            owner = entry.uid if uid is None else uid, entry.gid if gid is None else gid
            disk.set_metadata(real, mode, self._outer(owner[0]), self._outer(owner[1]), times)
        if entry.kind != "dir":
            self.view.changed(entry.path)

    def _all(self, start: Entry, *, recursive: bool) -> list[Entry]:
        below = [entry for _, entry in self.view.walk(start.path)] if recursive and start.kind == "dir" else []
        return [start, *below]

    def _unfollowed(self, path: str) -> str:
        """The path with the links of its directory followed, but not one at its end."""
        directory, name = split(clean(path))
        return join(self.view.resolve(directory), name) if name else "/"

    def _outer(self, inner: int | None) -> int:
        return self.store.ids.outer(inner or 0)

    def _top(self) -> str:
        if self._staging is None:
            self._staging = self.store.staging(self._root or self.lower)
            self.view = TreeView(self.store, Tree(self._layers), self._staging.fs)
        return os.fspath(self._staging.fs)

    def _flush(self) -> None:
        if self._staging is not None:
            layer = self.store.commit(self._staging)
            if layer:
                self._layers = (*self._layers, layer)
            self._reset()

    def _reset(self) -> None:
        self._staging = None
        self._made = set()
        self.lower = self.view = TreeView(self.store, Tree(self._layers))
