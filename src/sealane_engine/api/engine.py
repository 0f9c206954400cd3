"""Engine: who is connected, and the store as a cache."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import dataclass

from sealane_engine.api.registry import Context, Fields
from sealane_engine.errors import InvalidInput
from sealane_engine.store.space import Room, make_room

query = Fields("Query")
field = Fields("Engine")
cache = Fields("EngineCache")
entry_set = Fields("EngineCacheEntrySet")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt]?)i?b?|%)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EngineValue:
    """The engine that answers."""


@dataclass(frozen=True, slots=True)
class EngineCache:
    """Its store. Its own size has no limit: those numbers are 0."""


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


@cache("reservedSpace")
async def reserved(ctx: Context, self: EngineCache) -> int:
    return Room.on(ctx.engine.store.home).reserved


@cache("minFreeSpace")
async def min_free(ctx: Context, self: EngineCache) -> int:
    return Room.on(ctx.engine.store.home).min_free


@cache("maxUsedSpace")
@cache("targetSpace")
async def no_limit(ctx: Context, self: EngineCache) -> int:
    return 0


@cache("entrySet")
async def entries_of(ctx: Context, self: EngineCache, *, key: str = "") -> EntrySet:
    def count() -> EntrySet:
        usage = ctx.engine.store.usage()
        return EntrySet(usage.results, usage.bytes)

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
    """Remove what no live session needs: down to the largest size that is asked to be kept, or until the disk has room
    (by default as when an engine ends). Sizes are bytes, with a unit, or a share of the disk.
    """
    ctx.engine.need_machine(ctx.client, "the engine's cache")
    store = ctx.engine.store
    disk = shutil.disk_usage(store.home).total
    usual = Room.on(store.home)
    most, target, kept, free = (_bytes(text, disk) for text in (maxUsedSpace, targetSpace, reservedSpace, minFreeSpace))
    if useDefaultPolicy or minFreeSpace:
        room = Room(free if minFreeSpace else usual.min_free, kept if reservedSpace else usual.reserved)
        await asyncio.to_thread(make_room, store, room)
    if maxUsedSpace or targetSpace or not (useDefaultPolicy or minFreeSpace):
        await asyncio.to_thread(store.prune, keep_bytes=max(most, target, kept))


def _bytes(text: str, disk: int) -> int:
    if not text:
        return 0
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        hint = "write it like 200GB, 500MB or 10%"
        raise InvalidInput(f"invalid size {text!r}", reason="bad-size", hint=hint)
    if found[0].endswith("%"):
        return int(float(found[1]) * disk / 100)
    return int(float(found[1]) * 1000 ** " kmgt".index(found[2].lower() or " "))
