"""Container: from images and to images."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from sealane_engine.api.paths import seen_file
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Container, File, Service, config_from_oci, config_to_oci
from sealane_engine.errors import InvalidInput, Unsupported
from sealane_engine.graph.keys import canonical
from sealane_engine.graph.operation import Failing, ImageTree, Ref, Tarball, Variant
from sealane_engine.graph.tarball import NAME

field = Fields("Container")


async def from_image(ctx: Context, self: Container, address: str) -> Container:
    """The container of an image: its root and configuration take the place of what was there."""
    image = await ctx.engine.images.resolve(address, self.platform, labels=ctx.client.labels)
    config = config_from_oci(image.config.get("config") or {})
    return replace(self, root=ImageTree(image), config=config, image_ref=image.ref, last=None)


@field("from")
async def from_(ctx: Context, self: Container, *, address: str, registryService: Service | None = None) -> Container:
    if registryService is not None:
        raise Unsupported("Container.from(registryService) is not implemented by the embedded engine")
    return await from_image(ctx, self, address)


@field("imageRef")
async def image_ref(ctx: Context, self: Container) -> str:
    if not self.image_ref:
        raise InvalidInput(
            "Image reference can only be retrieved immediately after the 'Container.From' call",
            reason="no-image-ref",
            hint="ask before anything else is done to the container",
        )
    return self.image_ref


def _variant(self: Container) -> Variant:
    os_name, _, rest = self.platform.partition("/")
    architecture, _, variant = rest.partition("/")
    config: dict[str, Any] = {"architecture": architecture, "os": os_name, "config": config_to_oci(self.config)}
    if variant:
        config["variant"] = variant
    return Variant(Failing(self.error) if self.error else self.root, canonical(config).decode(), self.platform)


@field("asTarball")
async def as_tarball(
    ctx: Context,
    self: Container,
    *,
    platformVariants: list[Container] | None = None,
    forcedCompression: str | None = None,
    mediaTypes: str = "OCIMediaTypes",
) -> File:
    """With variants, a container that nothing was done to is only the way to the call, and no image itself."""
    containers = (
        *([] if platformVariants and self == Container(platform=self.platform) else [self]),
        *(platformVariants or ()),
    )
    return File(Ref(Tarball(tuple(_variant(each) for each in containers), mediaTypes), f"/{NAME}"))


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


@field("import")
async def import_(ctx: Context, self: Container, *, source: File, tag: str = "") -> Container:
    _, entry = await seen_file(ctx, source.at)
    image = await ctx.engine.images.load(entry.real, tag, self.platform)
    config = config_from_oci(image.config.get("config") or {})
    return replace(self, root=ImageTree(image), config=config, last=None)
