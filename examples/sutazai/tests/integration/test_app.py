"""The whole application on both stores, through HTTP."""

import pytest
from fastapi.testclient import TestClient

from backend.app import create_app


@pytest.fixture
def addresses(
    monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("CONNECT_TIMEOUT", "1")


def test_a_task_is_submitted_taken_and_finished(addresses: None) -> None:
    with TestClient(create_app()) as client:
        assert client.get("/health").json() == {"database": "ok", "cache": "ok"}
        agent = client.post("/agents", json={"name": "ada"}).json()
        task = client.post("/tasks", json={"title": "sweep"}).json()
        taken = client.post(f"/agents/{agent['id']}/take").json()
        assert taken["id"] == task["id"]
        client.post(f"/tasks/{task['id']}/done", json={"result": "clean"})
        assert client.get(f"/tasks/{task['id']}").json()["result"] == "clean"


def test_a_second_start_finds_the_tables_in_place(addresses: None) -> None:
    for _ in range(2):
        with TestClient(create_app()) as client:
            assert client.get("/health").status_code == 200


def test_without_a_database_the_service_starts_and_says_so(
    addresses: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres:x@127.0.0.1:1/none")
    with TestClient(create_app()) as client:
        response = client.get("/health")
        assert response.status_code == 503
        assert response.json()["cache"] == "ok"
