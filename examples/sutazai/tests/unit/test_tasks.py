"""Tasks: queued when written, cached when read, each taken once."""

from fastapi.testclient import TestClient

from .conftest import MemoryBoard, MemoryQueue


def submit(client: TestClient, title: str) -> int:
    response = client.post("/tasks", json={"title": title})
    assert response.status_code == 201
    return int(response.json()["id"])


def test_a_new_task_waits_in_the_queue(client: TestClient, queue: MemoryQueue) -> None:
    task_id = submit(client, "sweep")
    assert queue.ids == [task_id]
    assert client.get(f"/tasks/{task_id}").json()["status"] == "queued"


def test_the_second_read_comes_from_the_cache(
    client: TestClient, board: MemoryBoard
) -> None:
    task_id = submit(client, "sweep")
    first = client.get(f"/tasks/{task_id}").json()
    assert client.get(f"/tasks/{task_id}").json() == first
    assert board.reads == 1


def test_an_unknown_task_is_404(client: TestClient) -> None:
    assert client.get("/tasks/99").status_code == 404


def test_the_oldest_task_is_taken_first(client: TestClient) -> None:
    client.post("/agents", json={"name": "ada"})
    submit(client, "first")
    submit(client, "second")
    taken = client.post("/agents/1/take").json()
    assert (taken["title"], taken["status"], taken["agent_id"]) == (
        "first",
        "running",
        1,
    )


def test_nothing_to_take_is_null(client: TestClient) -> None:
    client.post("/agents", json={"name": "ada"})
    response = client.post("/agents/1/take")
    assert (response.status_code, response.json()) == (200, None)


def test_an_unknown_agent_takes_nothing(client: TestClient, queue: MemoryQueue) -> None:
    task_id = submit(client, "sweep")
    assert client.post("/agents/7/take").status_code == 404
    assert queue.ids == [task_id]


def test_an_id_in_the_queue_without_a_waiting_task_is_passed_over(
    client: TestClient, queue: MemoryQueue
) -> None:
    client.post("/agents", json={"name": "ada"})
    queue.ids.append(42)
    task_id = submit(client, "real")
    assert client.post("/agents/1/take").json()["id"] == task_id


def test_a_finished_task_carries_its_result(client: TestClient) -> None:
    client.post("/agents", json={"name": "ada"})
    task_id = submit(client, "sweep")
    client.get(f"/tasks/{task_id}")
    client.post("/agents/1/take")
    done = client.post(f"/tasks/{task_id}/done", json={"result": "clean"})
    assert done.json()["result"] == "clean"
    assert client.get(f"/tasks/{task_id}").json()["status"] == "done"


def test_a_task_that_is_not_running_cannot_be_finished(client: TestClient) -> None:
    task_id = submit(client, "sweep")
    response = client.post(f"/tasks/{task_id}/done", json={"result": "x"})
    assert response.status_code == 409


def test_tasks_are_listed_by_status(client: TestClient) -> None:
    client.post("/agents", json={"name": "ada"})
    submit(client, "first")
    submit(client, "second")
    client.post("/agents/1/take")
    listed = client.get("/tasks", params={"status": "queued"}).json()
    assert [task["title"] for task in listed] == ["second"]
    assert len(client.get("/tasks", params={"limit": 1}).json()) == 1


def test_the_frontend_is_served_at_the_root(client: TestClient) -> None:
    assert '<script type="module"' in client.get("/").text
