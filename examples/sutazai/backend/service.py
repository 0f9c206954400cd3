"""What the service does, told in terms of the board and the queue."""

import logging
from typing import Optional, Protocol

from backend.models import Agent, Health, Status, Task

log = logging.getLogger(__name__)


class BoardLike(Protocol):
    """What the service asks of its long memory."""

    async def ready(self) -> None: ...
    async def add_agent(self, name: str) -> Agent: ...
    async def agents(self) -> list[Agent]: ...
    async def add_task(self, title: str) -> Task: ...
    async def task(self, task_id: int) -> Optional[Task]: ...
    async def tasks(self, status: Optional[Status], limit: int) -> list[Task]: ...
    async def start(self, task_id: int, agent_id: int) -> Optional[Task]: ...
    async def finish(self, task_id: int, result: str) -> Optional[Task]: ...


class QueueLike(Protocol):
    """What the service asks of its short memory."""

    async def ready(self) -> None: ...
    async def push(self, task_id: int) -> None: ...
    async def push_back(self, task_id: int) -> None: ...
    async def pop(self) -> Optional[int]: ...
    async def waiting(self) -> int: ...
    async def cached(self, task_id: int) -> Optional[Task]: ...
    async def cache(self, task: Task) -> None: ...
    async def forget(self, task_id: int) -> None: ...


class Ready(Protocol):
    """Anything that can say whether it works."""

    async def ready(self) -> None: ...


class Service:
    """The rules: what is written is queued, what is read is cached."""

    def __init__(self, board: BoardLike, queue: QueueLike) -> None:
        self.board = board
        self.queue = queue

    async def health(self) -> Health:
        """Ask both stores; one that is down does not hide the other."""
        return Health(
            database=await _state("database", self.board),
            cache=await _state("cache", self.queue),
        )

    async def submit(self, title: str) -> Task:
        """Write a task down, then queue it."""
        task = await self.board.add_task(title)
        await self.queue.push(task.id)
        return task

    async def read(self, task_id: int) -> Optional[Task]:
        """Read a task, from the cache when it is there."""
        task = await self.queue.cached(task_id)
        if task is None:
            task = await self.board.task(task_id)
            if task is not None:
                await self.queue.cache(task)
        return task

    async def take(self, agent_id: int) -> Optional[Task]:
        """Give the oldest waiting task to an agent."""
        while (task_id := await self.queue.pop()) is not None:
            task = await self.board.start(task_id, agent_id)
            if task is not None:
                await self.queue.forget(task_id)
                return task
            waiting = await self.board.task(task_id)
            if waiting is not None and waiting.status is Status.QUEUED:
                await self.queue.push_back(task_id)
                raise LookupError(f"there is no agent {agent_id}")
        return None

    async def finish(self, task_id: int, result: str) -> Optional[Task]:
        """Write down what came of a task."""
        task = await self.board.finish(task_id, result)
        if task is not None:
            await self.queue.forget(task_id)
        return task


async def _state(name: str, store: Ready) -> str:
    try:
        await store.ready()
    except Exception as error:  # whatever the driver raises, the answer is 503
        log.warning("%s is not ready: %s", name, error)
        return type(error).__name__
    return "ok"
