"""The host's trust as a layer: certificates and mirror settings that every step sees and no result contains.

It lies above the image's layers and below what the step writes. What it holds depends on what the image has of its
own, so there is one such layer for each set of files.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sealane_engine.store.tree import SCRATCH

if TYPE_CHECKING:
    from sealane_engine.host.trust import Trust, TrustFile
    from sealane_engine.store.store import Store
    from sealane_engine.store.view import TreeView

Folder = tuple[int, int, int]
"""Mode, uid and gid."""


class TrustLayers:
    """Makes trust layers, each once."""

    def __init__(self, store: Store, trust: Trust) -> None:
        self._store = store
        self._trust = trust
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Credentials of mirrors, which no output may show."""
        return tuple(secret.encode() for secret in self._trust.secrets)

    def layer_for(self, view: TreeView) -> tuple[str, ...]:
        """The store's directories (none or one) that go on top of an image's layers."""
        layers = self._known.get(view.tree.layers)
        if layers is None:
            files = self._trust.files_for(view)
            layers = self._layers(files, _folders(view, files)) if files else ()
            self._known[view.tree.layers] = layers
        return tuple(self._store.layer_rel(layer) for layer in layers)

    def _layers(self, files: Mapping[str, TrustFile], folders: Mapping[str, Folder]) -> tuple[str, ...]:
        digest = hashlib.sha256(repr(sorted(folders.items())).encode())
        for path, file in sorted(files.items()):
            digest.update(f"{path}\0{file.mode}\0{file.link}\0{len(file.data)}\0".encode() + file.data)
        key = f"trust:{digest.hexdigest()}"
        found = self._store.result(key)
        if found is not None:
            return found.layers
        with self._store.edit(SCRATCH) as edit:
            for path, (mode, uid, gid) in sorted(folders.items()):
                edit.mkdir(path, mode, uid, gid)
            for path, file in sorted(files.items()):
                if file.link:
                    edit.symlink(file.link, path)
                else:
                    edit.write(path, file.data, file.mode)
        layers = edit.tree.layers
        self._store.put_result(key, "trust", {}, layers=layers, inputs=sorted(files))
        return layers


def _folders(view: TreeView, paths: Iterable[str]) -> dict[str, Folder]:
    """The folders on the way to `paths`, as the image has them: the layer's folders hide the image's."""
    folders: dict[str, Folder] = {}
    for path in paths:
        folder = posixpath.dirname(path)
        while folder not in ("/", *folders):
            entry = view.lstat(folder)
            folders[folder] = (0o755, 0, 0) if entry is None else (entry.mode, entry.uid, entry.gid)
            folder = posixpath.dirname(folder)
    return folders
