"""Bring an image from a tar file into the store: an OCI layout, or what `docker save` writes."""

from __future__ import annotations

import json
import tarfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sealane_engine.errors import ImageError, InvalidInput, NotFound
from sealane_engine.images.config import check_config
from sealane_engine.images.image import Image, LayerSource
from sealane_engine.images.unpack import diff_ids, unpack_layer
from sealane_engine.oci import chains, manifest, streams
from sealane_engine.oci import descriptor as descriptors
from sealane_engine.oci.descriptor import Descriptor
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sealane_engine.store.store import Store

MAX_JSON_BYTES = 4 << 20
MAX_MEMBERS = 100_000
MAX_NESTING = 4
_REF_NAME = "org.opencontainers.image.ref.name"


def load(store: Store, path: Path, tag: str, platform: str) -> Image:
    """Read the image for `platform` (and named `tag`, if that is given) and unpack it. Slow: for a thread.

    Raises InvalidInput (`bad-archive`), NotFound (no such tag or platform) or ImageError (it is not what it says).
    """
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(tarfile.open(path, "r:*"))
            members = _members(archive)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise InvalidInput(f"{path.name} is no image archive: {error}", reason="bad-archive") from error
        source = _Archive(archive, members, path.name)
        if "index.json" in members:
            return _load_oci(store, source, tag, platform)
        if "manifest.json" in members:
            return _load_docker(store, source, tag, platform)
        raise InvalidInput(
            f"{path.name} is no image archive: it has neither index.json nor manifest.json",
            reason="bad-archive",
            hint="make one with `Container.asTarball` or `docker save`",
        )


class _Archive:
    def __init__(self, archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], name: str) -> None:
        self._archive, self._members, self.name = archive, members, name

    def find(self, name: str) -> tarfile.TarInfo:
        member = self._members.get(_normal(name))
        if member is None:
            raise ImageError(f"{self.name} names {name} and doesn't have it", reason="blob-missing")
        return member

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        source = self._archive.extractfile(self.find(name))
        if source is None:
            raise ImageError(f"{self.name}: {name} is no file", reason="bad-archive")
        return cast("AbstractContextManager[BinaryIO]", source)

    def json(self, name: str) -> Any:
        return _json(self.bytes(name), f"{self.name}: {name}")

    def bytes(self, name: str) -> bytes:
        if self.find(name).size > MAX_JSON_BYTES:
            raise ImageError(f"{self.name}: {name} has more than {MAX_JSON_BYTES} bytes", reason="bad-manifest")
        with self.open(name) as source:
            return source.read()

    def blob(self, promised: Descriptor) -> Any:
        """The JSON of a blob, verified."""
        with self.open(_blob_name(promised.digest)) as source:
            if promised.size > MAX_JSON_BYTES:
                raise ImageError(f"{self.name}: {promised.digest} is too large", reason="bad-manifest")
            data = streams.Verified(source, promised, self.name).read()
        return _json(data, f"{self.name}: {promised.digest}")


def _load_oci(store: Store, source: _Archive, tag: str, platform: str) -> Image:
    top = source.json("index.json")
    entries = entries_of(top, source.name)
    if tag:
        entries = [each for each in entries if _named(each, tag)]
        if not entries:
            raise NotFound(f"{source.name} has no image tagged {tag}", reason="image-not-found")
    found = choose(entries, platform, source.name)
    for _ in range(MAX_NESTING):
        if found.media_type not in manifest.INDEXES:
            break
        found = choose(entries_of(source.blob(found), source.name), platform, source.name)
    if found.media_type not in manifest.MANIFESTS:
        raise ImageError(f"{source.name}: {found.media_type} is no image manifest", reason="bad-manifest")
    body = source.blob(found)
    layers = [descriptors.parse(each) for each in body.get("layers") or ()]
    config = source.blob(descriptors.parse(body.get("config")))
    named = [(_blob_name(layer.digest), layer) for layer in layers]
    return _unpack(store, source, config, named, found.digest, platform)


def _load_docker(store: Store, source: _Archive, tag: str, platform: str) -> Image:
    images = source.json("manifest.json")
    if not isinstance(images, list) or not all(isinstance(each, dict) for each in images):
        raise ImageError(f"{source.name}: manifest.json is no list of images", reason="bad-manifest")
    wanted = [each for each in images if not tag or tag in (each.get("RepoTags") or ())]
    if not wanted:
        raise NotFound(f"{source.name} has no image{f' tagged {tag}' if tag else ''}", reason="image-not-found")
    image = wanted[0]
    text = source.bytes(str(image.get("Config")))
    config = _json(text, source.name)
    named = []
    for name in image.get("Layers") or ():
        with source.open(str(name)) as layer:
            hashed = streams.Hashed(layer, 1 << 40)
            while hashed.read(streams.CHUNK):
                pass
        named.append((str(name), Descriptor(manifest.MEDIA_LAYER, hashed.digest, hashed.count)))
    described = manifest.describe(manifest.MEDIA_CONFIG, text)
    made = manifest.canonical(manifest.manifest(described, [layer for _, layer in named]))
    return _unpack(store, source, config, named, manifest.digest(made), platform)


def _unpack(
    store: Store,
    source: _Archive,
    config: Any,
    layers: list[tuple[str, Descriptor]],
    digest: str,
    platform: str,
) -> Image:
    config = check_config(config, source.name)
    ids = diff_ids(config, len(layers), source.name)
    tree, sources = Tree(), []
    for count, (name, blob) in enumerate(layers, 1):
        layer = chains.known(store, ids[:count])
        if layer is None:
            layer = unpack_layer(store, tree, ids[:count], blob, lambda name=name: source.open(name), source.name)  # type: ignore[misc]
        tree = tree.on(layer)
        sources.append(LayerSource(ids[count - 1], blob, layer))
    return Image(f"{source.name}@{digest}", digest, platform, config, "store", tuple(sources))


def choose(entries: list[Mapping[str, Any]], platform: str, name: str) -> Descriptor:
    """The descriptor of an index for a platform; a lone one that names no platform is meant."""
    wanted = manifest.platform_of(platform)
    usable = [each for each in entries if each.get("mediaType") in manifest.MANIFESTS | manifest.INDEXES]
    for each in usable:
        offered = each.get("platform")
        if isinstance(offered, dict) and all(offered.get(key) == value for key, value in wanted.items()):
            return descriptors.parse(each)
    if len(usable) == 1 and not usable[0].get("platform"):
        return descriptors.parse(usable[0])
    offers = sorted({_platform(each["platform"]) for each in usable if isinstance(each.get("platform"), dict)})
    raise NotFound(
        f"{name} has no image for {platform}",
        reason="no-platform",
        hint=f"it has {', '.join(offers)}" if offers else "",
    )


def _platform(value: Mapping[str, Any]) -> str:
    return "/".join(str(value[key]) for key in ("os", "architecture", "variant") if value.get(key))


def entries_of(index: Any, name: str) -> list[Mapping[str, Any]]:
    """The entries of an index."""
    entries = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise ImageError(f"{name}: an index lists no manifests", reason="bad-manifest")
    return entries


def _named(entry: Mapping[str, Any], tag: str) -> bool:
    annotations = entry.get("annotations")
    if not isinstance(annotations, dict):
        return False
    return tag in (annotations.get(_REF_NAME), annotations.get("io.containerd.image.name"))


def _members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    members: dict[str, tarfile.TarInfo] = {}
    for count, member in enumerate(archive):
        if count > MAX_MEMBERS:
            raise tarfile.ReadError(f"more than {MAX_MEMBERS} files")
        if member.isreg():
            members[_normal(member.name)] = member
    return members


def _normal(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _json(data: bytes, what: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{what} is no JSON: {error}", reason="bad-manifest") from error
