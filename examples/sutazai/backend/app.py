"""The HTTP side: routes, status codes, and the life of the connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Optional

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.staticfiles import StaticFiles

from backend.board import Board, NameTaken
from backend.models import Agent, Health, NewAgent, NewTask, Outcome, Status, Task
from backend.queue import Queue
from backend.service import Service
from backend.settings import Settings

FRONTEND = Path(__file__).parent.parent / "frontend"


def create_app(service: Optional[Service] = None) -> FastAPI:
    """The application; a test may bring a service of its own."""
    app = FastAPI(title="SutazAI", lifespan=_lifespan)
    app.state.service = service
    _add_health(app)
    _add_agents(app)
    _add_tasks(app)
    if FRONTEND.is_dir():
        app.mount("/", StaticFiles(directory=FRONTEND, html=True), name="frontend")
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    if app.state.service is not None:
        yield
        return
    settings = Settings.from_environment()
    board = Board(settings.database_url, settings.connect_timeout)
    queue = Queue(settings.redis_url, settings.cache_seconds, settings.connect_timeout)
    app.state.service = Service(board, queue)
    try:
        await board.open()
        await app.state.service.health()  # brings the tables up to date
        yield
    finally:
        app.state.service = None
        await queue.close()
        await board.close()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _add_health(app: FastAPI) -> None:
    @app.get("/health")
    async def health(request: Request, response: Response) -> Health:
        """200 when both stores answer, else 503."""
        state = await _service(request).health()
        response.status_code = 200 if state.ok else 503
        return state


def _add_agents(app: FastAPI) -> None:
    @app.post("/agents", status_code=201)
    async def add_agent(new: NewAgent, request: Request) -> Agent:
        try:
            return await _service(request).board.add_agent(new.name)
        except NameTaken as error:
            raise HTTPException(409, str(error)) from error

    @app.get("/agents")
    async def agents(request: Request) -> list[Agent]:
        return await _service(request).board.agents()

    @app.post("/agents/{agent_id}/take")
    async def take(agent_id: int, request: Request) -> Optional[Task]:
        """The oldest waiting task, or null."""
        try:
            return await _service(request).take(agent_id)
        except LookupError as error:
            raise HTTPException(404, str(error)) from error


def _add_tasks(app: FastAPI) -> None:
    @app.post("/tasks", status_code=201)
    async def add_task(new: NewTask, request: Request) -> Task:
        return await _service(request).submit(new.title)

    @app.get("/tasks")
    async def tasks(
        request: Request,
        status: Optional[Status] = None,
        limit: int = Query(default=50, ge=1, le=500),
    ) -> list[Task]:
        return await _service(request).board.tasks(status, limit)

    @app.get("/tasks/{task_id}")
    async def task(task_id: int, request: Request) -> Task:
        found = await _service(request).read(task_id)
        if found is None:
            raise HTTPException(404, f"there is no task {task_id}")
        return found

    @app.post("/tasks/{task_id}/done")
    async def done(task_id: int, outcome: Outcome, request: Request) -> Task:
        finished = await _service(request).finish(task_id, outcome.result)
        if finished is None:
            raise HTTPException(409, f"task {task_id} is not running")
        return finished
