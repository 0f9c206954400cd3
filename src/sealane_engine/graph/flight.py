"""Single flight: identical work that is asked for at the same time runs once, and every asker gets the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """Work in flight by key. When the last asker is cancelled, the work is cancelled too; one of several is not felt."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[T]] = {}
        self._askers: dict[str, int] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._tasks

    async def do(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        task = self._tasks.get(key)
        if task is None:

            async def run() -> T:
                return await work()

            task = self._tasks[key] = asyncio.create_task(run())
            self._askers[key] = 0
            task.add_done_callback(lambda done: self._landed(key, done))
        self._askers[key] += 1
        try:
            return await asyncio.shield(task)
        finally:
            if key in self._askers and self._tasks.get(key) is task:
                self._askers[key] -= 1
                if self._askers[key] == 0 and not task.done():
                    del self._tasks[key], self._askers[key]
                    task.cancel()

    def _landed(self, key: str, task: asyncio.Task[T]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key], self._askers[key]
        if not task.cancelled():
            task.exception()  # an error whose askers are all gone is nobody's: don't warn about it
