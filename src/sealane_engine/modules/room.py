"""What an engine keeps of its modules: runtimes, by the digest of their source, and which fields are a module's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from sealane_engine.graph.flight import Flight

if TYPE_CHECKING:
    from sealane_engine.modules.runtime import Runtime
    from sealane_engine.modules.warm import Warm


class Modules:
    """One per engine."""

    def __init__(self) -> None:
        self._runtimes: dict[str, Runtime] = {}
        self._flight: Flight[Any] = Flight()
        self._warm: dict[str, Warm] = {}
        self._ending: set[asyncio.Task[Any]] = set()
        self.fields: dict[tuple[str, str], str] = {}
        """(type, field) of every module that is served → the module's digest."""

    async def runtime(self, digest: str, make: Callable[[], Awaitable[Runtime]]) -> Runtime:
        """The runtime of a module, made once."""
        found = self._runtimes.get(digest)
        if found is None:
            found = self._runtimes[digest] = await self._flight.do(digest, make)
        return found

    async def warm(self, digest: str, start: Callable[[], Awaitable[Warm]]) -> Warm:
        """The warm parent of a module's calls: the one that runs, or a new one."""
        found = self._warm.get(digest)
        if found is not None and found.alive:
            return found
        fresh: Warm = await self._flight.do(f"warm:{digest}", start)
        if found is not None and self._warm.get(digest) is found:
            await found.aclose()
        self._warm[digest] = fresh
        return fresh

    def running(self, digest: str) -> Warm | None:
        """The warm parent of a module's calls, when there is one."""
        found = self._warm.get(digest)
        return found if found is not None and found.alive else None

    async def until(self, answered: asyncio.Event, process: Coroutine[Any, Any, Any]) -> Any:
        """Run a module's process until it has answered or ended; what it still does then is nobody's wait.

        Answers what the process left, None when it has answered before its end.
        """
        running = asyncio.create_task(process)
        waiting = asyncio.create_task(answered.wait())
        try:
            await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            running.cancel()
            await asyncio.wait((running,))
            raise
        finally:
            waiting.cancel()
        if not answered.is_set():
            return running.result()
        self._ending.add(running)
        running.add_done_callback(self._ended)
        return None

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # it has answered: how it ended changes nothing

    async def aclose(self) -> None:
        """End the processes that have answered, and those that were kept warm."""
        for task in tuple(self._ending):
            task.cancel()
        if self._ending:
            await asyncio.wait(tuple(self._ending))
        await asyncio.gather(*(each.aclose() for each in self._warm.values()))
