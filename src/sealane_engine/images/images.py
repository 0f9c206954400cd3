"""Find the image a reference means, and bring its root file system into the store.

What is pinned is what a lock file says it is. Else, order: the store, the image's registry, the catalog. The catalog steps in only when the registry can't be reached at
all (name, connection or TLS, within two seconds, tried once); a registry that answers has the last word.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.errors import EngineError, ImageError, NotFound
from sealane_engine.images.pins import Pins
from sealane_engine.oci import reference
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.events import Events, Requester
    from sealane_engine.images.catalog.build import Catalog, Run
    from sealane_engine.images.image import Image
    from sealane_engine.images.pins import Pin
    from sealane_engine.images.remote import Remote
    from sealane_engine.net.route import Route
    from sealane_engine.oci.credentials import Credentials
    from sealane_engine.oci.hosts import Host
    from sealane_engine.oci.patience import Patience
    from sealane_engine.oci.reference import Reference
    from sealane_engine.sandbox.emulation import Emulators
    from sealane_engine.store.store import Store


ARCHITECTURES = ("amd64", "arm64")
"""What the catalog can build for; a foreign one needs an emulator on this machine."""


class Images:
    """Resolves and unpacks base images. `run` runs a command in a sandbox, for the catalog's builds."""

    def __init__(
        self,
        store: Store,
        events: Events,
        *,
        run: Run | None = None,
        emulators: Emulators | None = None,
        pins: Pins | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._store, self._events, self._run, self._emulators = store, events, run, emulators
        self.pins, self.patience = pins or Pins(), patience
        self._logins: dict[str, Credentials] = {}

    # registries and the catalog are imported when an image is asked for: most sessions of a cached call ask for none

    @cached_property
    def _catalog(self) -> Catalog:
        from sealane_engine.images.catalog.build import Catalog

        return Catalog(self._store, self._events, self._run, self._emulators)

    @cached_property
    def hosts(self) -> Mapping[str, Host]:
        """How registries are reached. Raises InvalidInput (`bad-engine-config`)."""
        from sealane_engine.oci.hosts import default_path, read

        return read(default_path(os.environ))

    @cached_property
    def _remote(self) -> Remote:
        from sealane_engine.images.remote import Remote

        return Remote(self._store, live=self.pins.live, patience=self.patience, hosts=self.hosts)

    async def resolve(
        self,
        ref: str,
        platform: str = "linux/amd64",
        *,
        requester: Requester | None = None,
        login: Credentials | None = None,
    ) -> Image:
        """The image that `ref` means for a platform; its layers may still have to be fetched (`unpack`).

        `login` are credentials for its registry, instead of what Docker's configuration has.
        Raises InvalidInput (`bad-reference`, a bad lock file), NotFound (no such image) or ImageError (a registry said
        no, or lied; the lock file says otherwise).
        """
        parsed = reference.parse(ref)
        begun = time.monotonic()
        pin = self.pins.find(parsed, platform)
        if pin is None:
            image = await self._resolve(parsed, platform, requester, login)
        elif pin.catalog:
            image = await self._rebuilt(parsed, platform, pin, requester)
        else:
            image = await self._resolve(parsed.with_digest(pin.digest), platform, requester, login)
        if login is not None:
            self._logins[image.ref] = login
        seconds = round(time.monotonic() - begun, 3)
        self._events.emit(
            "image",
            requester,
            ref=parsed.familiar,
            origin=image.origin,
            digest=image.digest,
            seconds=seconds,
            catalog=image.catalog,
        )
        return image

    async def resolve_at(
        self, service: Route, ref: str, platform: str, *, requester: Requester | None, login: Credentials | None
    ) -> Image:
        """The image that `ref` means at a registry that is a service, unpacked: the service runs for no longer."""
        from sealane_engine.images.remote import Remote

        parsed, begun = reference.parse(ref), time.monotonic()
        async with service.open(reference.port(parsed.host)) as port:
            remote = Remote(self._store, live=True, patience=self.patience, hosts=self.hosts, service=port)
            try:
                image = await remote.resolve(parsed, platform, login)
                tree = await remote.unpack(image, parsed, login)
            finally:
                await remote.close()
        layers = tuple(replace(each, layer=layer) for each, layer in zip(image.layers, tree.layers, strict=True))
        seconds = round(time.monotonic() - begun, 3)
        told = {"ref": parsed.familiar, "origin": image.origin, "digest": image.digest, "seconds": seconds}
        self._events.emit("image", requester, **told, catalog="")
        return replace(image, layers=layers)

    async def load(self, path: str | Path, tag: str, platform: str) -> Image:
        """The image in a tar file (an OCI layout, or from `docker save`), unpacked."""
        from sealane_engine.images.load import load

        return await asyncio.to_thread(load, self._store, Path(path), tag, platform)

    async def unpack(self, image: Image, *, login: Credentials | None = None) -> Tree:
        """The image's root file system. What is in the store already is not fetched again.

        Without `login` its layers are fetched with the one that it was resolved with.
        """
        if all(source.layer is not None for source in image.layers):
            return Tree().on(*(source.layer or "" for source in image.layers))
        return await self._remote.unpack(image, reference.parse(image.ref), login or self._logins.get(image.ref))

    async def close(self) -> None:
        """Close what is open towards registries."""
        if "_remote" in vars(self):
            await self._remote.close()

    async def _rebuilt(self, ref: Reference, platform: str, pin: Pin, requester: Requester | None) -> Image:
        """What the catalog makes of a reference that was pinned when the catalog made it."""
        from sealane_engine.images.catalog import index

        recipe = index.find(ref)
        architecture = platform.removeprefix("linux/")
        if recipe is None or architecture not in ARCHITECTURES:
            raise _not_found(ref, platform, ImageError("it is pinned as an image of the catalog"))
        image = await self._catalog.image(recipe, ref, architecture, requester)
        if image.digest != pin.digest:
            moved = self.pins.moved(ref, platform, pin, image.digest)
            if self.pins.frozen:
                raise moved
            self._events.emit("warning", requester, message=str(moved), reason=moved.reason)
        return image

    async def _resolve(
        self, ref: Reference, platform: str, requester: Requester | None, login: Credentials | None
    ) -> Image:
        from sealane_engine.images.catalog import index
        from sealane_engine.oci.registry import Unreachable

        recipe = index.find(ref)
        architecture = platform.removeprefix("linux/")
        if recipe is not None and ref.digest:
            # Only we know the digests of what we built.
            built = self._catalog.known(recipe, ref, architecture)
            if built is not None and built.digest == ref.digest:
                return built
        try:
            return await self._remote.resolve(ref, platform, login)
        except Unreachable as problem:
            if recipe is None or ref.digest or architecture not in ARCHITECTURES:
                raise _not_found(ref, platform, problem) from problem
            return await self._catalog.image(recipe, ref, architecture, requester)


def _not_found(ref: Reference, platform: str, problem: Exception) -> EngineError:
    from sealane_engine.images.catalog import index

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
