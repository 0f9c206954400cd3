"""A clean database and a clean Redis, both real; no address, no test."""

import os
from collections.abc import AsyncIterator

import psycopg
import pytest
from redis import Redis

from backend.board import Board
from backend.queue import Queue


def address(name: str) -> str:
    """An address from the environment; an integration test without one is a mistake."""
    value = os.environ.get(name)
    if not value:
        pytest.fail(
            f"{name} is not set: start docker-compose.test.yml, write .env.test"
        )
    return value


@pytest.fixture
def database_url() -> str:
    url = address("DATABASE_URL")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS tasks, agents, migrations")
    return url


@pytest.fixture
def redis_url() -> str:
    url = address("REDIS_URL")
    with Redis.from_url(url) as redis:
        redis.flushdb()
    return url


@pytest.fixture
async def board(database_url: str) -> AsyncIterator[Board]:
    board = Board(database_url, timeout=5)
    await board.open()
    await board.ready()
    yield board
    await board.close()


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[Queue]:
    queue = Queue(redis_url, cache_seconds=30, timeout=5)
    yield queue
    await queue.close()
