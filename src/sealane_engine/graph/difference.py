"""The difference of two directories as a tree: what the upper one has and the lower one has not, or has otherwise."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from sealane_engine.store.tree import SCRATCH, Tree

if TYPE_CHECKING:
    from sealane_engine.store.store import Store
    from sealane_engine.store.view import Entry, TreeView


def differs(lower: TreeView, old: Entry, upper: TreeView, new: Entry) -> bool:
    """Whether two entries, no directories, are not the same. Owners count; times don't."""
    if old.real == new.real:
        return False
    if (old.kind, old.mode, old.uid, old.gid) != (new.kind, new.mode, new.uid, new.gid):
        return True
    if new.kind == "symlink":
        return lower.readlink(old.path) != upper.readlink(new.path)
    return old.size != new.size or lower.file_digest(old.path) != upper.file_digest(new.path)


def difference(store: Store, lower: TreeView, lower_root: str, upper: TreeView, upper_root: str) -> Tree:
    """A new tree with the additions and changes; what is gone in the upper directory leaves no trace in it."""
    if lower_root == upper_root and lower.tree == upper.tree:
        return SCRATCH
    with store.edit(SCRATCH) as edit:
        for path, entry in upper.walk(upper_root):
            relative = posixpath.relpath(path, upper_root)
            old = lower.lstat(posixpath.join(lower_root, relative))
            if entry.kind == "dir":
                if old is None or old.kind != "dir":
                    edit.mkdir("/" + relative, entry.mode, entry.uid, entry.gid)
            elif old is None or differs(lower, old, upper, entry):
                if entry.kind == "symlink":
                    edit.symlink(upper.readlink(path), "/" + relative)
                elif entry.kind == "file":
                    edit.copy(upper, path, "/" + relative)
    return edit.tree
