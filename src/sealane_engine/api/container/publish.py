"""Container: to a registry. Never cached: what a registry has now is not ours to know."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from sealane_engine.api.container.images import base_image, image_variant, login_for, with_variants
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Container, Service
from sealane_engine.errors import ImageError, InvalidInput

if TYPE_CHECKING:
    from sealane_engine.images.image import Image
    from sealane_engine.oci.reference import Reference

field = Fields("Container")


@field("publish")
async def publish(
    ctx: Context,
    self: Container,
    *,
    address: str,
    platformVariants: list[Container] | None = None,
    forcedCompression: str | None = None,
    mediaTypes: str = "OCIMediaTypes",
    registryService: Service | None = None,
) -> str:
    """Push the image, or an index of all platforms' images; answers its address with the digest."""
    from sealane_engine.oci import layout, reference
    from sealane_engine.oci.push import Pusher, push

    target = reference.parse(address)
    if target.digest:
        raise InvalidInput(
            f"can't publish to {address}: it names a digest", reason="bad-reference", hint="publish to a tag"
        )
    containers = with_variants(self, platformVariants or ())
    bases = [base for each in containers if (base := base_image(each)) is not None]
    for base in bases:
        _check_base(ctx, base, address)
    specs = [await ctx.engine.solver.image(image_variant(each), ctx.asker) for each in containers]
    images = [
        await asyncio.to_thread(
            layout.assemble, ctx.engine.store, spec, compression=forcedCompression or "", media_types=mediaTypes
        )
        for spec in specs
    ]
    mounts = _mounts(bases, target)
    login = login_for(ctx, self, target.host) or next(
        (found for each in containers if (found := login_for(ctx, each, target.host))), None
    )
    route = await ctx.route(registryService, "") if registryService else None
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(route.open(reference.port(target.host))) if route else None
        settings = ctx.engine.images.hosts.get(target.host)
        registry = Pusher(target.host, login, ctx.engine.images.patience, settings, port)
        stack.push_async_callback(registry.close)
        registry.allow_mounts(mounts)
        digest = await push(registry, ctx.engine.store, target, images, media_types=mediaTypes, mounts=mounts)
    ctx.engine.events.emit("publish", ctx.client, ref=target.familiar, digest=digest)
    return f"{target.name if _is_tagged(address) else target.repository}@{digest}"


def _is_tagged(address: str) -> bool:
    return ":" in address.rpartition("/")[2]


def _mounts(bases: list[Image], target: Reference) -> list[str]:
    """Repositories of the same registry that the base images came from: their layers need no upload."""
    from sealane_engine.oci import reference

    found = (reference.parse(base.ref) for base in bases if not base.catalog)
    return list(dict.fromkeys(ref.path for ref in found if ref.host == target.host and ref.path != target.path))


def _check_base(ctx: Context, base: Image, address: str) -> None:
    if base.catalog and not ctx.engine.options.grants & {f"catalog:{base.catalog}", "catalog:*"}:
        raise ImageError(
            f"{address} would be made on {base.ref}, which its registry never served: "
            f"it was built here from Debian packages (catalog {base.catalog})",
            reason="catalog-base",
            hint=f"make its registry reachable, or allow it by name: SEALANE_ALLOW=catalog:{base.catalog}",
        )
