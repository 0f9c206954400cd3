"""What a directory tree of the store is: a stack of layers, bottom first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tree:
    """Layers of the store, bottom first; () is an empty directory (scratch).

    A layer is a directory in overlayfs upper format: a whiteout is a character device 0:0, an opaque directory carries
    the attribute `user.overlay.opaque` = "y". Its files are owned by ids shifted by the store's IdRange.
    """

    layers: tuple[str, ...] = ()

    def on(self, *layers: str) -> Tree:
        """The tree with more layers on top; empty names (a step that changed nothing) are left out."""
        return Tree(self.layers + tuple(layer for layer in layers if layer))


SCRATCH = Tree()
