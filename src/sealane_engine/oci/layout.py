"""Write images as an OCI layout in a tar file, as Dagger's export does; `docker load` reads it too.

    oci-layout      the version of the layout
    index.json      one descriptor: the image's manifest, or an index of the platforms'
    manifest.json   what `docker load` looks for (one platform only)
    blobs/sha256/…  configurations, manifests, layers; the same layer once

The same images give the same bytes.
"""

from __future__ import annotations

import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealane_engine.oci import chains, manifest
from sealane_engine.oci.blobs import LayerBlob, layer_blob
from sealane_engine.oci.normal import Own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sealane_engine.oci.descriptor import Descriptor
    from sealane_engine.store.store import Store
    from sealane_engine.store.tree import Tree

REF_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """One image to write. `config` is an OCI image configuration without what its layers say.

    `base` are the layers of its base image, which are written as they are. Its own get `epoch` for all their dates (see
    `normal`), unless that is None.
    """

    config: Mapping[str, Any]
    tree: Tree
    platform: str
    base: frozenset[str] = frozenset()
    epoch: int | None = None
    annotations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Assembled:
    """An image's blobs: small ones here, layers in the store."""

    manifest: bytes
    config: bytes
    layers: tuple[LayerBlob, ...]
    platform: str
    media_type: str
    annotations: Mapping[str, str]


def assemble(store: Store, spec: ImageSpec, *, compression: str = "", media_types: str = "") -> Assembled:
    """An image's manifest and configuration; its layers become blobs of the store. Slow: for a thread."""
    layers = dict.fromkeys(spec.tree.layers)
    own = Own(store, spec.tree.layers, spec.base, spec.epoch)

    def blob(layer: str) -> LayerBlob:
        return layer_blob(store, layer, compression, own.of(layer))

    with ThreadPoolExecutor(2) as pool:
        blobs = dict(zip(layers, pool.map(blob, layers), strict=True))
    stack = tuple(blobs[layer] for layer in spec.tree.layers)
    ids = [blob.diff_id for blob in stack]
    for count, layer in enumerate(spec.tree.layers, 1):
        if own.of(layer) is not None:  # the blob says something else than the layer
            break
        if chains.known(store, ids[:count]) is None:  # whoever imports this image has it
            chains.remember(store, ids[:count], layer)
    docker = _is_docker(media_types)
    annotations = {} if docker else dict(spec.annotations)
    config = manifest.canonical(_config(spec, stack))

    def typed(descriptor: Descriptor) -> Descriptor:
        return manifest.retyped(descriptor, docker=docker)

    described = typed(manifest.describe(manifest.MEDIA_CONFIG, config))
    media_type = manifest.DOCKER[manifest.MEDIA_MANIFEST] if docker else manifest.MEDIA_MANIFEST
    made = manifest.manifest(described, [typed(blob.descriptor) for blob in stack], media_type)
    if annotations:
        made["annotations"] = annotations
    return Assembled(manifest.canonical(made), config, stack, spec.platform, media_type, annotations)


def write_layout(
    store: Store,
    specs: Sequence[ImageSpec],
    path: Path,
    *,
    media_types: str = "",
    compression: str = "",
    names: Sequence[str] = (),
) -> str:
    """Write images, one for each platform, to the new tar file `path`; answers the digest of what `index.json` names."""
    images = [assemble(store, spec, compression=compression, media_types=media_types) for spec in specs]
    blobs: dict[str, bytes] = {}
    for image in images:
        blobs |= {manifest.digest(image.manifest): image.manifest, manifest.digest(image.config): image.config}
    top: dict[str, Any] = entry(images[0]) if len(images) == 1 else {}
    if not top:
        media_type, index = make_index(images, media_types)
        top = manifest.describe(media_type, index).to_json()
        blobs[top["digest"]] = index
    named = [{**top, "annotations": {**top.get("annotations", {}), REF_NAME: name}} for name in names] or [top]
    with tarfile.open(path, "x", format=tarfile.PAX_FORMAT) as archive:
        _add_directory(archive, "blobs")
        _add_directory(archive, "blobs/sha256")
        layers = {blob.descriptor.digest: blob for image in images for blob in image.layers}
        for digest in sorted((*blobs, *layers)):
            if digest in blobs:
                _add(archive, _blob_name(digest), blobs[digest])
            else:
                _add_blob(archive, store, layers[digest])
        _add(archive, "index.json", manifest.canonical(manifest.index(named)))
        if len(images) == 1:
            _add(archive, "manifest.json", manifest.canonical([_docker_manifest(images[0], names)]))
        _add(archive, "oci-layout", manifest.canonical({"imageLayoutVersion": "1.0.0"}))
    return str(top["digest"])


def entry(image: Assembled) -> dict[str, Any]:
    """An image as an index names it."""
    described = manifest.describe(image.media_type, image.manifest)
    named = {"annotations": dict(image.annotations)} if image.annotations else {}
    return {**described.to_json(), "platform": manifest.platform_of(image.platform), **named}


def make_index(images: Sequence[Assembled], media_types: str = "") -> tuple[str, bytes]:
    """The index of several platforms' images: its media type and its bytes. What all are annotated with, it is too."""
    media_type = manifest.DOCKER[manifest.MEDIA_INDEX] if _is_docker(media_types) else manifest.MEDIA_INDEX
    made = manifest.index([entry(image) for image in images], media_type)
    shared = set.intersection(*(set(image.annotations.items()) for image in images))
    if shared:
        made["annotations"] = dict(shared)
    return media_type, manifest.canonical(made)


def _is_docker(media_types: str) -> bool:
    return media_types in ("DockerMediaTypes", "DOCKER")


def _config(spec: ImageSpec, layers: Sequence[LayerBlob]) -> dict[str, Any]:
    newest = max((blob.newest for blob in layers), default=0)
    created = manifest.timestamp(newest if spec.epoch is None else spec.epoch)
    return {
        "created": created,
        **spec.config,
        "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in layers]},
        "history": [{"created": created, "created_by": "sealane"} for _ in layers],
    }


def _docker_manifest(image: Assembled, names: Sequence[str]) -> dict[str, Any]:
    return {
        "Config": _blob_name(manifest.digest(image.config)),
        "RepoTags": list(names) or None,
        "Layers": [_blob_name(blob.descriptor.digest) for blob in image.layers],
    }


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o444
    archive.addfile(member, io.BytesIO(data))


def _add_blob(archive: tarfile.TarFile, store: Store, blob: LayerBlob) -> None:
    member = tarfile.TarInfo(_blob_name(blob.descriptor.digest))
    member.size, member.mode = blob.descriptor.size, 0o444
    with store.blob_path(blob.descriptor.digest).open("rb") as source:
        archive.addfile(member, source)


def _add_directory(archive: tarfile.TarFile, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    archive.addfile(member)
