"""CacheVolume: a directory that survives steps and is no part of any result."""

from __future__ import annotations

from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import CacheVolume, Directory

query = Fields("Query")


@query("cacheVolume")
async def cache_volume(
    ctx: Context,
    self: None,
    *,
    key: str,
    source: Directory | None = None,
    sharing: str | None = None,
    owner: str = "",
) -> CacheVolume:
    return CacheVolume(key, ctx.engine.namespace(ctx.client), sharing or "SHARED", source.at if source else None, owner)
