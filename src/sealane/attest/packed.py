"""The manifests of an image that is about to be pushed, read from its OCI layout: their digests are known before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagger import dag

from sealane.attest.registry import INDEXES, Descriptor, Manifest, descriptor, digest_of
from sealane.stages import steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dagger


@dataclass(frozen=True, slots=True)
class Packed:
    """What a tag will name, and each platform's image in it (the same one when there is only one)."""

    top: Descriptor
    images: tuple[Descriptor, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.top.digest, *(each.digest for each in self.images))))


def tarball(images: Sequence[dagger.Container]) -> dagger.File:
    """An OCI layout with one image, or with an index of several platforms': the manifests that `publish` pushes."""
    if len(images) == 1:
        return images[0].as_tarball()
    return dag.container().as_tarball(platform_variants=list(images))


async def read(images: Sequence[dagger.Container]) -> Packed:
    reader = steps.python().with_mounted_file("/image.tar", tarball(images))
    reader = reader.with_new_file("/sealane/manifests.py", steps.script("manifests.py"))
    found = json.loads(await reader.with_exec(["python", "/sealane/manifests.py", "/image.tar"]).stdout())
    top = descriptor(found["top"])
    if top.media_type not in INDEXES:
        return Packed(top, (top,))
    data = found["manifest"].encode()
    assert digest_of(data) == top.digest
    return Packed(top, Manifest(top.digest, top.media_type, data, json.loads(data)).blobs("manifests"))
