"""/health tells the truth about both stores."""

from fastapi.testclient import TestClient

from .conftest import MemoryBoard, MemoryQueue


def test_it_is_well_when_both_stores_answer(client: TestClient) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json() == {"database": "ok", "cache": "ok"}


def test_a_missing_database_is_503_and_leaves_the_cache_ok(
    client: TestClient, board: MemoryBoard
) -> None:
    board.broken = ConnectionRefusedError()
    response = client.get("/health")
    assert response.status_code == 503
    assert response.json() == {"database": "ConnectionRefusedError", "cache": "ok"}


def test_a_missing_cache_is_503(client: TestClient, queue: MemoryQueue) -> None:
    queue.broken = TimeoutError()
    assert client.get("/health").status_code == 503
