"""Tunnels between the host and the steps' network, in both directions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sealane_engine.net.proxy import Acceptor


class Forward:
    """Open tunnels. `address` and `port` are where to connect to (the first port when there are several)."""

    def __init__(
        self, address: str, port: int, acceptors: list[Acceptor], on_close: Callable[[Forward], Awaitable[Any]]
    ) -> None:
        self.address = address
        self.port = port
        self._acceptors = acceptors
        self._on_close = on_close
        self._closed = False

    async def aclose(self) -> None:
        """Connections that are carried end too. May be called again."""
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*(acceptor.aclose() for acceptor in self._acceptors))
        await self._on_close(self)
