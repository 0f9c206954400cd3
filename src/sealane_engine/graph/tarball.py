"""Containers as one OCI layout in a tar file: a tree operation whose result is `/image.tar`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from sealane_engine.graph.operation import Tarball
    from sealane_engine.oci.layout import ImageSpec
    from sealane_engine.store.store import Store

NAME = "image.tar"


def write_tarball(store: Store, operation: Tarball, specs: list[ImageSpec]) -> Tree:
    """Write the layout into a staging and commit it."""
    from sealane_engine.oci.layout import write_layout

    staging = store.staging()
    try:
        media_types, compression = operation.media_types, operation.compression
        write_layout(store, specs, staging.fs / NAME, media_types=media_types, compression=compression)
        return Tree((store.commit(staging),))
    except BaseException:
        staging.discard()
        raise
