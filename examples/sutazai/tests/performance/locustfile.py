"""The load that the guide asks for: many users who read, some who write."""

from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    """Writes a task, then reads it again and again, each time as soon as it has the answer."""

    wait_time = constant(0)

    def on_start(self) -> None:
        response = self.client.post("/tasks", json={"title": "sweep"})
        self.path = f"/tasks/{response.json()['id']}"

    @task(60)
    def read(self) -> None:
        self.client.get(self.path, name="/tasks/{id}")

    @task(2)
    def listing(self) -> None:
        self.client.get("/tasks?limit=20", name="/tasks")

    @task(1)
    def health(self) -> None:
        self.client.get("/health")
