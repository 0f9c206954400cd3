"""Agents: registered once, listed in order."""

from fastapi.testclient import TestClient


def test_an_agent_is_registered_and_listed(client: TestClient) -> None:
    assert client.post("/agents", json={"name": "ada"}).status_code == 201
    assert client.get("/agents").json() == [{"id": 1, "name": "ada"}]


def test_a_name_is_taken_once(client: TestClient) -> None:
    client.post("/agents", json={"name": "ada"})
    response = client.post("/agents", json={"name": "ada"})
    assert response.status_code == 409
    assert "'ada'" in response.json()["detail"]


def test_an_agent_needs_a_name(client: TestClient) -> None:
    assert client.post("/agents", json={"name": ""}).status_code == 422
