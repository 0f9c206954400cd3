"""Container: from images and to images."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sealane_engine.api.paths import seen_file
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import (
    FROM_LABEL,
    Config,
    Container,
    File,
    Service,
    config_from_oci,
    config_to_oci,
    with_pair,
)
from sealane_engine.errors import InvalidInput
from sealane_engine.graph.keys import canonical
from sealane_engine.graph.operation import Failing, ImageTree, Ref, Scratch, Tarball, Variant
from sealane_engine.graph.tarball import NAME
from sealane_engine.oci.normal import DEFAULT_EPOCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealane_engine.images.image import Image
    from sealane_engine.net.route import Route
    from sealane_engine.oci.credentials import Credentials

field = Fields("Container")
_SAME_IMAGE = frozenset({"from", "withRegistryAuth", "withoutRegistryAuth"})
CREATED = "org.opencontainers.image.created"


def login_for(ctx: Context, self: Container, host: str) -> Credentials | None:
    """What `withRegistryAuth` gave for a registry; the latest counts."""
    from sealane_engine.oci.credentials import Credentials

    for address, user, secret in reversed(self.registry_auth):
        known = address.removeprefix("https://").removeprefix("http://").partition("/")[0]
        if {"index.docker.io": "docker.io", "registry-1.docker.io": "docker.io"}.get(known, known) == host:
            return Credentials(user, ctx.engine.secrets.reveal(secret).decode())
    return None


def base_image(self: Container) -> Image | None:
    """The image that a container's root began as."""
    base = image_variant(self).base
    return base.image if base is not None else None


async def from_image(ctx: Context, self: Container, address: str, service: Route | None = None) -> Container:
    """The container of an image: its root and configuration take the place of what was there. `service` is its registry."""
    from sealane_engine.oci import reference

    login = login_for(ctx, self, reference.parse(address).host) if self.registry_auth else None
    images, requester = ctx.engine.images, ctx.client
    if service is None:
        image = await images.resolve(address, self.platform, requester=requester, login=login)
    else:
        image = await images.resolve_at(service, address, self.platform, requester=requester, login=login)
    config = merged_config(self.config, config_from_oci(image.config.get("config") or {}))
    return replace(self, root=ImageTree(image), config=config, image_ref=image.ref, last=None)


def merged_config(before: Config, image: Config) -> Config:
    """An image's configuration with what was said before it and it doesn't say itself, as Dagger merges them."""
    env, labels = before.env, before.labels
    for name, value in image.env:
        env = with_pair(env, name, value)
    for name, value in image.labels:
        labels = with_pair(labels, name, value)
    known = {(port.port, port.protocol) for port in image.ports}
    return replace(
        image,
        env=env,
        labels=labels,
        ports=(*(port for port in before.ports if (port.port, port.protocol) not in known), *image.ports),
        healthcheck=image.healthcheck or before.healthcheck,
        onbuild=(*before.onbuild, *image.onbuild),
        shell=image.shell or before.shell,
    )


@field("from")
async def from_(ctx: Context, self: Container, *, address: str, registryService: Service | None = None) -> Container:
    return await from_image(ctx, self, address, await ctx.route(registryService, "") if registryService else None)


@field("imageRef")
async def image_ref(ctx: Context, self: Container) -> str:
    asked = ctx.call.receiver
    changed = asked is not None and asked.receiver is not None and asked.receiver.type == "Container"
    if not self.image_ref or (changed and asked is not None and asked.field not in _SAME_IMAGE):
        raise InvalidInput(
            "Image reference can only be retrieved immediately after the 'Container.From' call",
            reason="no-image-ref",
            hint="ask before anything else is done to the container",
        )
    return self.image_ref


def epoch_of(self: Container) -> int | None:
    """What takes the place of the dates in an image's own layers: SOURCE_DATE_EPOCH of its build, else when its label
    says that it was created, else a fixed day. None: the dates stay.
    """
    if self.epoch != FROM_LABEL:
        return self.epoch
    try:
        created = datetime.fromisoformat(dict(self.config.labels).get(CREATED, ""))
    except ValueError:
        return DEFAULT_EPOCH
    return max(0, int((created if created.tzinfo else created.replace(tzinfo=UTC)).timestamp()))


def image_variant(self: Container) -> Variant:
    os_name, _, rest = self.platform.partition("/")
    architecture, _, variant = rest.partition("/")
    config: dict[str, Any] = {"architecture": architecture, "os": os_name, "config": config_to_oci(self.config)}
    if variant:
        config["variant"] = variant
    if self.config.author:
        config["author"] = self.config.author
    return Variant(
        root=Failing(self.error) if self.error else self.root,
        config=canonical(config).decode(),
        platform=self.platform,
        epoch=epoch_of(self),
        annotations=self.config.annotations,
    )


def with_variants(self: Container, variants: Sequence[Container]) -> tuple[Container, ...]:
    """The images of a call with `platformVariants`, one for each platform.

    A container without a root is only the way to the call, and no image itself.
    """
    containers = (*([] if variants and isinstance(self.root, Scratch) else [self]), *variants)
    platforms = [each.platform for each in containers]
    for platform in platforms:
        if platforms.count(platform) > 1:
            raise InvalidInput(
                f'duplicate platform "{platform}"', reason="duplicate-platform", hint="give one container per platform"
            )
    return containers


@field("asTarball")
async def as_tarball(
    ctx: Context,
    self: Container,
    *,
    platformVariants: list[Container] | None = None,
    forcedCompression: str | None = None,
    mediaTypes: str = "OCIMediaTypes",
) -> File:
    containers = with_variants(self, platformVariants or ())
    variants = tuple(image_variant(each) for each in containers)
    return File(Ref(Tarball(variants, mediaTypes, forcedCompression or ""), f"/{NAME}"))


@field("export")
async def export(
    ctx: Context,
    self: Container,
    *,
    path: str,
    platformVariants: list[Container] | None = None,
    forcedCompression: str | None = None,
    mediaTypes: str = "OCIMediaTypes",
    expand: bool = False,
) -> str:
    from sealane_engine.host.export import export_file

    tarball = await as_tarball(
        ctx, self, platformVariants=platformVariants, forcedCompression=forcedCompression, mediaTypes=mediaTypes
    )
    view, _ = await seen_file(ctx, tarball.at)
    destination = ctx.engine.client_path(ctx.client, path)
    return str(await asyncio.to_thread(export_file, view, tarball.at.path, destination, allow_parent_dir=False))


@field("exportImage")
async def export_image(
    ctx: Context,
    self: Container,
    *,
    name: str,
    platformVariants: list[Container] | None = None,
    forcedCompression: str | None = None,
    mediaTypes: str = "OCIMediaTypes",
) -> None:
    """Into the image store of the client's machine, under this name: by the first of `LOADERS` that is there."""
    from sealane_engine.host.images import load_image
    from sealane_engine.oci import layout, reference

    ctx.engine.need_machine(ctx.client, f"image {name!r}")
    target = reference.parse(name)
    variants = [image_variant(each) for each in with_variants(self, platformVariants or ())]
    specs = [await ctx.engine.solver.image(each, ctx.asker) for each in variants]
    archive = ctx.engine.scratch / f"export-{id(ctx.call)}.tar"
    try:
        await asyncio.to_thread(
            layout.write_layout,
            *(ctx.engine.store, specs, archive),
            media_types=mediaTypes,
            compression=forcedCompression or "",
            names=[target.name],
        )
        await load_image(archive)
    finally:
        archive.unlink(missing_ok=True)


@field("import")
async def import_(ctx: Context, self: Container, *, source: File, tag: str = "") -> Container:
    _, entry = await seen_file(ctx, source.at)
    image = await ctx.engine.images.load(entry.real, tag, self.platform)
    config = config_from_oci(image.config.get("config") or {})
    return replace(self, root=ImageTree(image), config=config, last=None)
