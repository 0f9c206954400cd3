"""One layer instead of many: the same tree by hard links, for stacks that grow too deep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane_engine.store.edit import Editor
from sealane_engine.store.merge import Rules, merge
from sealane_engine.store.tree import SCRATCH, Tree

if TYPE_CHECKING:
    from sealane_engine.store.store import Store


def flatten(store: Store, tree: Tree) -> Tree:
    """The tree as a single layer, made once and remembered."""
    if len(tree.layers) <= 1:
        return tree
    key = "flat:" + ",".join(tree.layers)
    known = store.result(key)
    if known is not None:
        return Tree(tuple(known.value))
    view = store.view(tree)
    with Editor(store, SCRATCH, root=view) as edit:
        merge(edit, view, "/", "/", Rules())
    store.put_result(key, "flat", list(edit.tree.layers), layers=edit.tree.layers)
    return edit.tree
