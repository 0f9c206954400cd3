"""What goes over the wire and between the parts: agents and tasks."""

from datetime import datetime
from enum import Enum
from typing import Optional

from pydantic import BaseModel, Field


class Status(str, Enum):
    """A task is queued, then running, then done."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"


class NewAgent(BaseModel):
    """An agent to register."""

    name: str = Field(min_length=1, max_length=80)


class Agent(NewAgent):
    """An agent that may take tasks."""

    id: int


class NewTask(BaseModel):
    """A task to queue."""

    title: str = Field(min_length=1, max_length=200)


class Outcome(BaseModel):
    """What came of a task."""

    result: str = Field(max_length=2000)


class Task(NewTask):
    """A task and how far it got."""

    id: int
    status: Status = Status.QUEUED
    agent_id: Optional[int] = None
    result: Optional[str] = None
    created_at: datetime


class Health(BaseModel):
    """The state of each store: `ok`, or what is wrong with it."""

    database: str
    cache: str

    @property
    def ok(self) -> bool:
        """Whether both stores answer."""
        return self.database == self.cache == "ok"
