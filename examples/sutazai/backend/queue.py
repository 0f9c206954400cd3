"""The short memory: a queue of task ids and a cache of tasks, both in Redis."""

from typing import Any, Optional

from redis.asyncio import Redis

from backend.models import Task

QUEUE = "sutazai:queue"


class Queue:
    """A queue that hands each id out once, and a cache that forgets by itself."""

    def __init__(self, redis_url: str, cache_seconds: int, timeout: int) -> None:
        self._redis: Any = Redis.from_url(
            redis_url,
            decode_responses=True,
            socket_connect_timeout=timeout,
            socket_timeout=timeout,
        )
        self._seconds = cache_seconds

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def ready(self) -> None:
        """Raise unless Redis answers."""
        await self._redis.ping()

    async def push(self, task_id: int) -> None:
        """Put a task at the end of the queue."""
        await self._redis.rpush(QUEUE, task_id)

    async def push_back(self, task_id: int) -> None:
        """Put a task that could not be started at the head of the queue again."""
        await self._redis.lpush(QUEUE, task_id)

    async def pop(self) -> Optional[int]:
        """Take the oldest task, or None when nothing waits."""
        value = await self._redis.lpop(QUEUE)
        return None if value is None else int(value)

    async def waiting(self) -> int:
        """How many tasks wait."""
        return int(await self._redis.llen(QUEUE))

    async def cached(self, task_id: int) -> Optional[Task]:
        """A task as it was when it was last read, or None."""
        text = await self._redis.get(_key(task_id))
        return None if text is None else Task.model_validate_json(text)

    async def cache(self, task: Task) -> None:
        """Keep a task for a while."""
        await self._redis.set(_key(task.id), task.model_dump_json(), ex=self._seconds)

    async def forget(self, task_id: int) -> None:
        """Drop a task that has changed."""
        await self._redis.delete(_key(task_id))


def _key(task_id: int) -> str:
    return f"sutazai:task:{task_id}"
