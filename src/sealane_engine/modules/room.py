"""What an engine keeps of its modules: runtimes, by the digest of their source, and which fields are a module's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from sealane_engine.graph.flight import Flight

if TYPE_CHECKING:
    from sealane_engine.modules.runtime import Runtime


class Modules:
    """One per engine."""

    def __init__(self) -> None:
        self._runtimes: dict[str, Runtime] = {}
        self._flight: Flight[Any] = Flight()
        self.fields: dict[tuple[str, str], str] = {}
        """(type, field) of every module that is served → the module's digest."""

    async def runtime(self, digest: str, make: Callable[[], Awaitable[Runtime]]) -> Runtime:
        """The runtime of a module, made once."""
        found = self._runtimes.get(digest)
        if found is None:
            found = self._runtimes[digest] = await self._flight.do(digest, make)
        return found
