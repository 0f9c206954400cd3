"""A service whose two stores are plain dictionaries, and a client that talks to it."""

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Optional

import pytest
from fastapi.testclient import TestClient

from backend.app import create_app
from backend.board import NameTaken
from backend.models import Agent, Status, Task
from backend.service import Service


class MemoryBoard:
    """Agents and tasks, kept in lists."""

    def __init__(self) -> None:
        self.rows: dict[int, Task] = {}
        self.names: list[str] = []
        self.reads = 0
        self.broken: Optional[Exception] = None

    async def ready(self) -> None:
        if self.broken:
            raise self.broken

    async def add_agent(self, name: str) -> Agent:
        if name in self.names:
            raise NameTaken(f"there is an agent named {name!r} already")
        self.names.append(name)
        return Agent(id=len(self.names), name=name)

    async def agents(self) -> list[Agent]:
        return [Agent(id=n, name=name) for n, name in enumerate(self.names, 1)]

    async def add_task(self, title: str) -> Task:
        now = datetime.now(timezone.utc)
        task = Task(id=len(self.rows) + 1, title=title, created_at=now)
        self.rows[task.id] = task
        return task

    async def task(self, task_id: int) -> Optional[Task]:
        self.reads += 1
        return self.rows.get(task_id)

    async def tasks(self, status: Optional[Status], limit: int) -> list[Task]:
        rows = [t for t in self.rows.values() if status in (None, t.status)]
        return sorted(rows, key=lambda t: -t.id)[:limit]

    async def start(self, task_id: int, agent_id: int) -> Optional[Task]:
        task = self.rows.get(task_id)
        if not task or task.status is not Status.QUEUED or agent_id > len(self.names):
            return None
        return self._change(task_id, status=Status.RUNNING, agent_id=agent_id)

    async def finish(self, task_id: int, result: str) -> Optional[Task]:
        task = self.rows.get(task_id)
        if not task or task.status is not Status.RUNNING:
            return None
        return self._change(task_id, status=Status.DONE, result=result)

    def _change(self, task_id: int, **changes: Any) -> Task:
        self.rows[task_id] = self.rows[task_id].model_copy(update=changes)
        return self.rows[task_id]


class MemoryQueue:
    """A queue and a cache, kept in a list and a dictionary."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.kept: dict[int, Task] = {}
        self.broken: Optional[Exception] = None

    async def ready(self) -> None:
        if self.broken:
            raise self.broken

    async def push(self, task_id: int) -> None:
        self.ids.append(task_id)

    async def push_back(self, task_id: int) -> None:
        self.ids.insert(0, task_id)

    async def pop(self) -> Optional[int]:
        return self.ids.pop(0) if self.ids else None

    async def waiting(self) -> int:
        return len(self.ids)

    async def cached(self, task_id: int) -> Optional[Task]:
        return self.kept.get(task_id)

    async def cache(self, task: Task) -> None:
        self.kept[task.id] = task

    async def forget(self, task_id: int) -> None:
        self.kept.pop(task_id, None)


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def client(board: MemoryBoard, queue: MemoryQueue) -> Iterator[TestClient]:
    with TestClient(create_app(Service(board, queue))) as client:
        yield client
