"""The host's trust as a layer: certificates and mirror settings that every step sees and no result contains.

It lies above the image's layers and below what the step writes. Files that the image has of its own are left to it,
except the certificate bundle, so there is one such layer for each set of files that an image lacks.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sealane_engine.store.tree import SCRATCH

if TYPE_CHECKING:
    from sealane_engine.host.trust import Trust
    from sealane_engine.store.store import Store
    from sealane_engine.store.view import TreeView


class TrustLayers:
    """Makes trust layers, each once."""

    def __init__(self, store: Store, trust: Trust) -> None:
        self._store = store
        self._trust = trust

    def layer_for(self, view: TreeView) -> tuple[str, ...]:
        """The store's directories (none or one) that go on top of an image's layers."""
        files = self._trust.files_for(view)
        if not files:
            return ()
        digest = hashlib.sha256()
        for path, file in sorted(files.items()):
            digest.update(f"{path}\0{file.mode}\0{file.link}\0{len(file.data)}\0".encode() + file.data)
        key = f"trust:{digest.hexdigest()}"
        found = self._store.result(key)
        if found is None:
            with self._store.edit(SCRATCH) as edit:
                for path, file in sorted(files.items()):
                    if file.link:
                        edit.symlink(file.link, path)
                    else:
                        edit.write(path, file.data, file.mode)
            layers = edit.tree.layers
            self._store.put_result(key, "trust", {"layers": list(layers)}, layers=layers, inputs=sorted(files))
        else:
            layers = tuple(found.value["layers"])
        return tuple(self._store.layer_rel(layer) for layer in layers)
