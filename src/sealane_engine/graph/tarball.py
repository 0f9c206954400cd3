"""Containers as one OCI layout in a tar file: a tree operation whose result is `/image.tar`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from sealane_engine.graph.operation import Tarball
    from sealane_engine.store.store import Store

NAME = "image.tar"


def write_tarball(store: Store, operation: Tarball, trees: list[Tree]) -> Tree:
    """Write the layout into a staging and commit it."""
    from sealane_engine.oci.layout import ImageSpec, write_layout

    staging = store.staging()
    try:
        specs = [
            ImageSpec(json.loads(variant.config), tree, variant.platform)
            for variant, tree in zip(operation.variants, trees, strict=True)
        ]
        write_layout(store, specs, staging.fs / NAME, media_types=operation.media_types)
        return Tree((store.commit(staging),))
    except BaseException:
        staging.discard()
        raise
