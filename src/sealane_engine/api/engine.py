"""Engine: who is connected, and the store as a cache."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from sealane_engine.api.registry import Context, Fields
from sealane_engine.errors import InvalidInput

query = Fields("Query")
field = Fields("Engine")
cache = Fields("EngineCache")
entry_set = Fields("EngineCacheEntrySet")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EngineValue:
    """The engine that answers."""


@dataclass(frozen=True, slots=True)
class EngineCache:
    """Its store. There is no limit on its size of ours: the numbers are 0."""


@dataclass(frozen=True, slots=True)
class EntrySet:
    count: int
    size: int


@query("engine")
async def engine(ctx: Context, self: None) -> EngineValue:
    return EngineValue()


@field("name")
async def name(ctx: Context, self: EngineValue) -> str:
    return "sealane"


@field("clients")
async def clients(ctx: Context, self: EngineValue) -> list[str]:
    return [ctx.client.id]


@field("localCache")
async def local_cache(ctx: Context, self: EngineValue) -> EngineCache:
    return EngineCache()


@cache("maxUsedSpace")
@cache("reservedSpace")
@cache("minFreeSpace")
@cache("targetSpace")
async def no_limit(ctx: Context, self: EngineCache) -> int:
    return 0


@cache("entrySet")
async def entries_of(ctx: Context, self: EngineCache, *, key: str = "") -> EntrySet:
    def count() -> EntrySet:
        usage = ctx.engine.store.usage()
        return EntrySet(usage.results, usage.layer_bytes + usage.blob_bytes + usage.volume_bytes)

    return await asyncio.to_thread(count)


@entry_set("entryCount")
async def entry_count(ctx: Context, self: EntrySet) -> int:
    return self.count


@entry_set("diskSpaceBytes")
async def disk_space(ctx: Context, self: EntrySet) -> int:
    return self.size


@cache("prune")
async def prune(
    ctx: Context,
    self: EngineCache,
    *,
    useDefaultPolicy: bool = False,
    maxUsedSpace: str = "",
    reservedSpace: str = "",
    minFreeSpace: str = "",
    targetSpace: str = "",
) -> None:
    """Remove what no live session needs, down to the largest size that is asked to be kept."""
    ctx.engine.need_machine(ctx.client, "the engine's cache")
    keep = max(_bytes(text) for text in (maxUsedSpace, reservedSpace, targetSpace))
    await asyncio.to_thread(ctx.engine.store.prune, keep_bytes=keep)


def _bytes(text: str) -> int:
    if not text:
        return 0
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"invalid size {text!r}", reason="bad-size", hint="write it like 200GB or 500MB")
    return int(float(found[1]) * 1000 ** " kmgt".index(found[2].lower() or " "))
