"""Images of registries: resolved to a manifest for a platform, layers fetched, verified and unpacked into the store."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sealane_engine.errors import ImageError, NotFound
from sealane_engine.images.config import check_config
from sealane_engine.images.flight import Flights
from sealane_engine.images.image import Image, LayerSource
from sealane_engine.images.load import MAX_JSON_BYTES, MAX_NESTING, choose, entries_of
from sealane_engine.images.mirrored import Mirrored
from sealane_engine.images.unpack import diff_ids, keep_blob, unpack_layer
from sealane_engine.oci import chains, manifest
from sealane_engine.oci import descriptor as descriptors
from sealane_engine.oci.hosts import Host
from sealane_engine.oci.registry import Manifest, Registry, Unreachable
from sealane_engine.oci.streams import CHUNK
from sealane_engine.store.disk import guarded
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.oci.credentials import Credentials
    from sealane_engine.oci.descriptor import Descriptor
    from sealane_engine.oci.patience import Patience
    from sealane_engine.oci.reference import Reference
    from sealane_engine.store.store import Store

TAG_FRESH_SECONDS = 3600.0
DOWN_SECONDS = 300.0
DOWNLOADS = 3
_LAYERS = frozenset(
    {
        manifest.MEDIA_LAYER,
        manifest.MEDIA_LAYER_GZIP,
        manifest.MEDIA_LAYER_ZSTD,
        manifest.DOCKER[manifest.MEDIA_LAYER],
        manifest.DOCKER[manifest.MEDIA_LAYER_GZIP],
        manifest.DOCKER[manifest.MEDIA_LAYER_ZSTD],
    }
)


class Remote:
    """Asks registries, each at most once while it is down; keeps what they gave. `live`: asks for every tag, always.

    `service` is a port of this machine that leads to a registry which is a service: then nothing is kept of which images
    its names mean, for they mean so only there.
    """

    def __init__(
        self,
        store: Store,
        *,
        live: bool = False,
        patience: Patience | None = None,
        hosts: Mapping[str, Host] | None = None,
        service: int | None = None,
    ) -> None:
        self._service = service
        self._store, self._live, self._patience = store, live, patience
        self._hosts = hosts or {}
        self._registries: dict[tuple[str, Credentials | None], Registry | Mirrored] = {}
        self._down: dict[str, str] = {}
        self._resolving: Flights[Image] = Flights()
        self._blobs: Flights[None] = Flights()
        self._unpacking: Flights[Tree] = Flights()
        self._lanes = asyncio.Semaphore(DOWNLOADS)

    async def close(self) -> None:
        for registry in self._registries.values():
            await registry.close()
        self._registries.clear()

    async def resolve(self, ref: Reference, platform: str, login: Credentials | None = None) -> Image:
        """The image of a reference. Raises Unreachable when there is no way to know."""
        return await self._resolving.join(f"{ref} {platform} {login}", lambda: self._resolve(ref, platform, login))

    async def _resolve(self, ref: Reference, platform: str, login: Credentials | None) -> Image:
        kept = None if self._service or (self._live and not ref.digest) else self._kept(ref, platform)
        if kept is not None and (ref.digest or time.time() - kept[1] < TAG_FRESH_SECONDS):
            return kept[0]
        try:
            registry = self._registry(ref.host, login)
            found = await self._manifest(registry, ref, platform)
        except Unreachable as problem:
            if self._service:
                raise ImageError(
                    f"{ref}: the service doesn't answer: {problem}", reason="registry-unreachable"
                ) from None
            self._remember_down(ref.host, str(problem))
            if kept is not None:
                return kept[0]
            raise
        except NotFound as problem:
            raise NotFound(
                f'failed to resolve image "{ref}" (platform: "{platform}"): {ref}: not found',
                reason=problem.reason,
                hint=problem.hint,
            ) from problem
        return await self._image(registry, ref, platform, found)

    def _registry(self, host: str, login: Credentials | None) -> Registry | Mirrored:
        settings = self._hosts.get(host, Host())
        down = "" if settings.mirrors or self._service else self._down.get(host) or self._down_for_others(host)
        if down:
            raise Unreachable(down)
        key = host, login
        if key not in self._registries:
            origin = Registry(host, login, self._patience, settings, self._service)
            mirrored = Mirrored(list(map(self._mirror, settings.mirrors)), origin)
            self._registries[key] = mirrored if settings.mirrors and not self._service else origin
        return self._registries[key]

    def _mirror(self, address: str) -> tuple[Registry, str]:
        """A mirror, and the path that goes before a repository's name there. It gets its own credentials, nobody else's."""
        name, _, path = address.rpartition("://")[2].strip("/").partition("/")
        settings = self._hosts.get(name, Host())
        if address.startswith("http://"):
            settings = replace(settings, http=True)
        return Registry(name, None, self._patience, settings), f"{path}/" if path else ""

    def _down_for_others(self, host: str) -> str:
        """What an earlier engine found a moment ago."""
        memo = self._store.memo("registry-down", host)
        if memo is None:
            return ""
        when, _, why = memo.partition(" ")
        return why if 0 <= time.time() - float(when) < DOWN_SECONDS else ""

    def _remember_down(self, host: str, why: str) -> None:
        if host not in self._down and not self._down_for_others(host):
            self._store.put_memo("registry-down", host, f"{time.time():.0f} {why}")
        self._down[host] = why

    async def _manifest(self, registry: Registry | Mirrored, ref: Reference, platform: str) -> Manifest:
        found = await registry.manifest(ref.path, ref.identifier)
        for _ in range(MAX_NESTING):
            if found.media_type not in manifest.INDEXES:
                break
            chosen = choose(entries_of(found.body, str(ref)), platform, str(ref))
            found = await registry.manifest(ref.path, chosen.digest)
        if found.media_type not in manifest.MANIFESTS:
            raise ImageError(f"{ref}: {found.media_type or 'its answer'} is no image manifest", reason="bad-manifest")
        return found

    async def _image(self, registry: Registry | Mirrored, ref: Reference, platform: str, found: Manifest) -> Image:
        described = descriptors.parse(found.body.get("config"))
        named = found.body.get("layers") or []
        if not isinstance(named, list):
            raise ImageError(f"{ref}: its manifest has no list of layers", reason="bad-manifest")
        layers = [descriptors.parse(each) for each in named]
        for layer in layers:
            if layer.media_type not in _LAYERS:
                raise ImageError(f"{ref}: layer of unknown type {layer.media_type}", reason="bad-manifest")
        if described.size > MAX_JSON_BYTES:
            raise ImageError(f"{ref}: its configuration has {described.size} bytes", reason="bad-config")
        await self._fetch(registry, ref.path, described)
        config = check_config(_json(self._store.read_blob(described.digest), str(ref)), str(ref))
        ids = diff_ids(config, len(layers), str(ref))
        sources = tuple(LayerSource(diff_id, blob) for diff_id, blob in zip(ids, layers, strict=True))
        image = Image(str(ref.with_digest(found.digest)), found.digest, platform, config, "registry", sources)
        if not self._service:
            self._keep(ref, platform, image, described.digest)
        return image

    # -------------------------------------------------------------- what the store remembers
    def _keep(self, ref: Reference, platform: str, image: Image, config: str) -> None:
        value = {
            "digest": image.digest,
            "config": config,
            "layers": [[source.diff_id, source.blob.to_json()] for source in image.layers if source.blob],
        }
        for each in {str(ref), str(ref.with_digest(image.digest))}:
            inputs = {"ref": each, "platform": platform}
            self._store.put_result(f"image:{each} {platform}", "image", value, blobs=(config,), inputs=inputs)

    def _kept(self, ref: Reference, platform: str) -> tuple[Image, float] | None:
        """The image that was resolved before, and when."""
        found = self._store.result(f"image:{ref} {platform}")
        if found is None:
            return None
        value = found.value
        sources = tuple(LayerSource(diff_id, descriptors.parse(blob)) for diff_id, blob in value["layers"])
        config = _json(self._store.read_blob(value["config"]), str(ref))
        pinned = str(ref.with_digest(value["digest"]))
        return Image(pinned, value["digest"], platform, config, "store", sources), found.created

    # -------------------------------------------------------------- layers
    async def unpack(self, image: Image, ref: Reference, login: Credentials | None = None) -> Tree:
        """The image's root file system: layers that aren't there are fetched, a few at a time, and unpacked in order."""
        ids = [source.diff_id for source in image.layers]
        key = chains.chain(ids) if ids else ""
        return await self._unpacking.join(key, lambda: self._unpack(image, ref, login))

    async def fetch(self, image: Image, ref: Reference, login: Credentials | None = None) -> None:
        """Bring the blobs of the image's layers into the store, a few at a time; nothing is unpacked."""
        tasks = [asyncio.create_task(self._download(ref, each.blob, login)) for each in image.layers if each.blob]
        await asyncio.gather(*tasks)

    async def _unpack(self, image: Image, ref: Reference, login: Credentials | None) -> Tree:
        ids = tuple(source.diff_id for source in image.layers)
        first = 0
        tree = Tree()
        while first < len(ids) and (layer := chains.known(self._store, ids[: first + 1])) is not None:
            tree, first = tree.on(layer), first + 1
        missing = [
            (count, source.blob) for count, source in enumerate(image.layers, 1) if count > first and source.blob
        ]
        downloads = [asyncio.create_task(self._download(ref, blob, login)) for _, blob in missing]
        try:
            for (count, blob), download in zip(missing, downloads, strict=True):
                await download
                tree = tree.on(await asyncio.to_thread(self._unpack_one, tree, ids[:count], blob, image.ref))
        finally:
            for download in downloads:
                download.cancel()
            await asyncio.gather(*downloads, return_exceptions=True)
        return tree

    def _unpack_one(self, tree: Tree, ids: tuple[str, ...], blob: Descriptor, name: str) -> str:
        path = self._store.blob_path(blob.digest)
        layer = unpack_layer(self._store, tree, ids, blob, lambda: path.open("rb"), name)
        keep_blob(self._store, layer, blob, ids[-1])
        return layer

    async def _download(self, ref: Reference, blob: Descriptor, login: Credentials | None) -> None:
        async with self._lanes:
            try:
                await self._fetch(self._registry(ref.host, login), ref.path, blob)
            except Unreachable as problem:
                raise ImageError(
                    f"{ref}: blob {blob.digest} can't be fetched: {problem}",
                    reason="registry-unreachable",
                    hint="make the registry reachable: the image was resolved, its layers are not here yet",
                ) from problem

    async def _fetch(self, registry: Registry | Mirrored, repository: str, blob: Descriptor) -> None:
        """Bring a blob into the store: one download for everyone who wants it."""
        if not self._store.has_blob(blob.digest):
            await self._blobs.join(blob.digest, lambda: self._fetch_once(registry, repository, blob))

    async def _fetch_once(self, registry: Registry | Mirrored, repository: str, blob: Descriptor) -> None:
        staging = await asyncio.to_thread(self._store.staging)
        try:
            path = staging.path / "download"
            with guarded(self._store.home), path.open("wb", buffering=CHUNK) as sink:
                await registry.blob(repository, blob, sink)
            await asyncio.to_thread(self._store.adopt_blob, path, blob.digest)
        finally:
            await asyncio.to_thread(staging.discard)


def _json(data: bytes, what: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{what}: its configuration is no JSON: {error}", reason="bad-config") from error
