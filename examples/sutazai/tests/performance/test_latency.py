"""One process, one client: the time of a cached read stays far below the limit."""

import os
import statistics
import time

import pytest
from fastapi.testclient import TestClient

from backend.app import create_app

LIMIT = 0.5  # seconds, the guide's max-response-time


def test_a_cached_read_takes_far_less_than_the_limit() -> None:
    if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
        pytest.fail("DATABASE_URL and REDIS_URL are not set: write .env.test")
    with TestClient(create_app()) as client:
        task = client.post("/tasks", json={"title": "sweep"}).json()
        seconds = []
        for _ in range(200):
            start = time.perf_counter()
            assert client.get(f"/tasks/{task['id']}").status_code == 200
            seconds.append(time.perf_counter() - start)
    assert statistics.quantiles(seconds, n=20)[-1] < LIMIT
