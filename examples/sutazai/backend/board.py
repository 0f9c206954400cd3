"""The memory of the service: agents and tasks in Postgres."""

from typing import Any, Optional, TypeVar

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from backend.migrate import migrate
from backend.models import Agent, Status, Task

Row = TypeVar("Row")


class NameTaken(ValueError):
    """Another agent has this name."""


class Board:
    """Reads and writes the tables; opened once, closed with the service."""

    def __init__(self, database_url: str, timeout: int) -> None:
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            database_url,
            min_size=1,
            max_size=10,
            open=False,
            timeout=timeout,
            kwargs={"connect_timeout": timeout},
        )
        self._migrated = False

    async def open(self) -> None:
        """Start to connect; the database may come later than the service."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def ready(self) -> None:
        """Raise unless the database answers and its tables are up to date."""
        async with self._pool.connection() as connection:
            if not self._migrated:
                await migrate(connection)
                self._migrated = True
            await connection.execute("SELECT 1")

    async def add_agent(self, name: str) -> Agent:
        """Register an agent under a name that no other has."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Agent))
            try:
                await cursor.execute(
                    "INSERT INTO agents (name) VALUES (%s) RETURNING id, name", [name]
                )
            except UniqueViolation as error:
                raise NameTaken(f"there is an agent named {name!r} already") from error
            return _one(await cursor.fetchone())

    async def agents(self) -> list[Agent]:
        """All agents, oldest first."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Agent))
            await cursor.execute("SELECT id, name FROM agents ORDER BY id")
            return await cursor.fetchall()

    async def add_task(self, title: str) -> Task:
        """Remember a task as queued."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Task))
            await cursor.execute(
                "INSERT INTO tasks (title) VALUES (%s) RETURNING *", [title]
            )
            return _one(await cursor.fetchone())

    async def task(self, task_id: int) -> Optional[Task]:
        """One task, or None."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Task))
            await cursor.execute("SELECT * FROM tasks WHERE id = %s", [task_id])
            return await cursor.fetchone()

    async def tasks(self, status: Optional[Status], limit: int) -> list[Task]:
        """The newest tasks, of one status or of all."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Task))
            await cursor.execute(
                "SELECT * FROM tasks WHERE %(status)s::text IS NULL OR status = %(status)s"
                " ORDER BY id DESC LIMIT %(limit)s",
                {"status": status.value if status else None, "limit": limit},
            )
            return await cursor.fetchall()

    async def start(self, task_id: int, agent_id: int) -> Optional[Task]:
        """Give a queued task to an agent; None when it is not queued any more."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Task))
            await cursor.execute(
                "UPDATE tasks SET status = 'running', agent_id = agents.id FROM agents"
                " WHERE tasks.id = %s AND status = 'queued' AND agents.id = %s"
                " RETURNING tasks.*",
                [task_id, agent_id],
            )
            return await cursor.fetchone()

    async def finish(self, task_id: int, result: str) -> Optional[Task]:
        """End a running task; None when it is not running."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Task))
            await cursor.execute(
                "UPDATE tasks SET status = 'done', result = %s"
                " WHERE id = %s AND status = 'running' RETURNING *",
                [result, task_id],
            )
            return await cursor.fetchone()


def _one(row: Optional[Row]) -> Row:
    if row is None:  # pragma: no cover - RETURNING always answers a row
        raise LookupError("the database returned no row")
    return row
