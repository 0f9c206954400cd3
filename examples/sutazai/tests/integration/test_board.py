"""The board on a real Postgres."""

import psycopg
import pytest

from backend.board import Board, NameTaken
from backend.migrate import MIGRATIONS, migrate
from backend.models import Status

pytestmark = pytest.mark.anyio


async def test_the_server_is_postgres_15(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        assert connection.info.server_version // 10_000 == 15


async def test_migrations_are_applied_once(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        assert await migrate(connection) == sorted(p.name for p in MIGRATIONS.iterdir())
        assert await migrate(connection) == []


async def test_a_task_goes_from_queued_to_done(board: Board) -> None:
    agent = await board.add_agent("ada")
    task = await board.add_task("sweep")
    started = await board.start(task.id, agent.id)
    finished = await board.finish(task.id, "clean")
    assert started and started.agent_id == agent.id
    assert finished and finished.status is Status.DONE
    assert await board.task(task.id) == finished


async def test_a_task_is_started_once(board: Board) -> None:
    agent = await board.add_agent("ada")
    task = await board.add_task("sweep")
    assert await board.start(task.id, agent.id)
    assert await board.start(task.id, agent.id) is None


async def test_an_unknown_agent_starts_nothing(board: Board) -> None:
    task = await board.add_task("sweep")
    assert await board.start(task.id, 12_345) is None


async def test_the_database_refuses_a_second_agent_of_the_same_name(
    board: Board,
) -> None:
    await board.add_agent("ada")
    with pytest.raises(NameTaken):
        await board.add_agent("ada")
    assert [agent.name for agent in await board.agents()] == ["ada"]


async def test_the_newest_tasks_come_first(board: Board) -> None:
    for title in ("one", "two", "three"):
        await board.add_task(title)
    assert [task.title for task in await board.tasks(None, 2)] == ["three", "two"]
    assert await board.tasks(Status.DONE, 10) == []


async def test_text_is_data_and_never_sql(board: Board) -> None:
    title = "'); DROP TABLE tasks; --"
    task = await board.add_task(title)
    found = await board.task(task.id)
    assert found and found.title == title
