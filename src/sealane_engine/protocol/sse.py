"""Server-sent events: what a client that subscribed to traces, logs or metrics is sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

FEED_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """`data` must be one line."""

    name: str
    data: str = ""
    id: str = ""

    def encode(self) -> bytes:
        number = f"id: {self.id}\n" if self.id else ""
        return f"{number}event: {self.name}\ndata: {self.data}\n\n".encode()


class Feed:
    """Events for one subscriber. Who puts never waits: a subscriber that is too slow loses events."""

    def __init__(self, limit: int = FEED_LIMIT) -> None:
        self.queue: asyncio.Queue[ServerEvent | None] = asyncio.Queue()
        self.limit = limit
        self.lost = 0

    def put(self, event: ServerEvent) -> None:
        if self.queue.qsize() < self.limit:
            self.queue.put_nowait(event)
        else:
            self.lost += 1

    def close(self) -> None:
        """End the stream after what was put."""
        self.queue.put_nowait(None)

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        yield ServerEvent("subscribed").encode()
        while (event := await self.queue.get()) is not None:
            yield event.encode()
