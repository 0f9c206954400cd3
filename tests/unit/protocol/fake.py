"""A resolver for tests: answers by field name, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sealane_engine.errors import ExecError
from sealane_engine.protocol.call import Call
from sealane_engine.protocol.client import Client


class FakeResolver:
    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[Call] = []
        self.prepared: list[tuple[str, str, dict[str, Any]]] = []
        self.running = 0
        self.most_running = 0
        self.cancelled = 0
        self.hold: asyncio.Event | None = None
        self.waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def when(self, true: Callable[[], bool]) -> None:
        """Wait until evaluations have begun or ended such that something is true."""
        if not true():
            future = asyncio.get_running_loop().create_future()
            self.waiters.append((true, future))
            await future

    def changed(self) -> None:
        for true, future in self.waiters:
            if not future.done() and true():
                future.set_result(None)

    def prepare(self, client: Client, owner: str, field: str, args: dict[str, Any]) -> tuple[dict[str, Any], str]:
        self.prepared.append((owner, field, args))
        if field == "setSecret":
            return {"name": args["name"]}, client.id
        return args, ""

    async def value(self, client: Client, call: Call) -> Any:
        self.asked.append(call)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.changed()
        try:
            await (self.hold.wait() if self.hold else asyncio.sleep(0))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
            self.changed()
        return self.answer(client, call)

    def answer(self, client: Client, call: Call) -> Any:
        if call.field in {"sync", "start", "stop"}:
            return call.receiver
        if call.field in self.answers:
            answer = self.answers[call.field]
            if isinstance(answer, BaseException):
                raise answer
            return answer(client, call) if callable(answer) else answer
        if call.field == "stdout":
            return chain(call)
        if call.field == "name" and call.receiver:
            return f"name{call.receiver.nth}"
        if call.field == "exitCode":
            raise ExecError(("sh", "-c", "exit 3"), 3, "out", "err")
        return "value"

    async def elements(self, client: Client, call: Call) -> int | None:
        return self.answers.get(call.field, 3)

    async def exists(self, client: Client, call: Call) -> bool:
        return self.answers.get(call.field, True)


def chain(call: Call) -> str:
    """The fields from the root to this call."""
    names = []
    at: Call | None = call
    while at:
        names.append(at.field)
        at = at.receiver
    return ".".join(reversed(names))
