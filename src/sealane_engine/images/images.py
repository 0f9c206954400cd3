"""Find the image a reference means, and bring its root file system into the store.

Order: the store, the image's registry, the catalog. The catalog steps in only when the registry can't be reached at
all (name, connection or TLS, within two seconds, tried once); a registry that answers has the last word.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.errors import EngineError, ImageError, NotFound
from sealane_engine.images.catalog import index
from sealane_engine.images.catalog.build import Catalog, Run
from sealane_engine.images.load import load
from sealane_engine.images.remote import Remote, Unreachable
from sealane_engine.oci import reference
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.events import Events
    from sealane_engine.images.image import Image
    from sealane_engine.oci.reference import Reference
    from sealane_engine.store.store import Store


class Images:
    """Resolves and unpacks base images. `run` runs a command in a sandbox, for the catalog's builds."""

    def __init__(self, store: Store, events: Events, *, run: Run | None = None) -> None:
        self._store, self._events = store, events
        self._catalog = Catalog(store, events, run)
        self._remote = Remote(store, events)

    async def resolve(
        self, ref: str, platform: str = "linux/amd64", *, labels: Mapping[str, str] | None = None
    ) -> Image:
        """The image that `ref` means for a platform; its layers may still have to be fetched (`unpack`).

        Raises InvalidInput (`bad-reference`), NotFound (no such image) or ImageError (a registry said no, or lied).
        """
        parsed = reference.parse(ref)
        begun = time.monotonic()
        image = await self._resolve(parsed, platform, labels)
        seconds = round(time.monotonic() - begun, 3)
        self._events.emit(
            "image",
            labels,
            ref=parsed.familiar,
            origin=image.origin,
            digest=image.digest,
            seconds=seconds,
            catalog=image.catalog,
        )
        return image

    async def load(self, path: str | Path, tag: str, platform: str) -> Image:
        """The image in a tar file (an OCI layout, or from `docker save`), unpacked."""
        return await asyncio.to_thread(load, self._store, Path(path), tag, platform)

    async def unpack(self, image: Image) -> Tree:
        """The image's root file system. What is in the store already is not fetched again."""
        if all(source.layer is not None for source in image.layers):
            return Tree().on(*(source.layer or "" for source in image.layers))
        return await self._remote.unpack(image)

    async def close(self) -> None:
        """Close what is open towards registries."""
        await self._remote.close()

    async def _resolve(self, ref: Reference, platform: str, labels: Mapping[str, str] | None) -> Image:
        try:
            return await self._remote.resolve(ref, platform)
        except Unreachable as problem:
            recipe = index.find(ref)
            if recipe is None:
                raise _not_found(ref, platform, problem) from problem
            architecture = platform.removeprefix("linux/")
            if architecture not in ("amd64", "arm64") or "/" in architecture:
                raise _not_found(ref, platform, problem) from problem
            return await self._catalog.image(recipe, ref, architecture, labels)


def _not_found(ref: Reference, platform: str, problem: Exception) -> EngineError:
    what = f'failed to resolve image "{ref}" (platform: "{platform}")'
    if ref.digest:
        return ImageError(
            f"{what}: {problem}",
            reason="registry-unreachable",
            hint="a digest can't be built: make its registry reachable",
        )
    return NotFound(
        f"{what}: {ref}: not found ({problem}, and it is not in the catalog)",
        reason="image-not-found",
        hint=f"make the registry reachable, or use one that can be built here: {', '.join(index.names())}",
    )
