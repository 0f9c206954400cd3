"""The queue and the cache on a real Redis."""

from datetime import datetime, timezone

import pytest
from redis import Redis

from backend.models import Task
from backend.queue import Queue

pytestmark = pytest.mark.anyio

TASK = Task(id=5, title="sweep", created_at=datetime(2026, 1, 1, tzinfo=timezone.utc))


async def test_the_server_is_redis_7(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        assert redis.info("server")["redis_version"].startswith("7.")


async def test_ids_come_out_in_the_order_they_went_in(queue: Queue) -> None:
    await queue.push(1)
    await queue.push(2)
    await queue.push_back(9)
    assert await queue.waiting() == 3
    assert [await queue.pop() for _ in range(4)] == [9, 1, 2, None]


async def test_a_cached_task_comes_back_equal_until_it_is_forgotten(
    queue: Queue,
) -> None:
    await queue.cache(TASK)
    assert await queue.cached(TASK.id) == TASK
    await queue.forget(TASK.id)
    assert await queue.cached(TASK.id) is None


async def test_a_cached_task_expires(queue: Queue, redis_url: str) -> None:
    await queue.cache(TASK)
    with Redis.from_url(redis_url) as redis:
        assert 0 < redis.ttl("sutazai:task:5") <= 30
