"""Many requests and several clients on one session: what is shared runs once, what nobody wants any more stops."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest

from .conftest import Client, Connect

IMAGE = "debian:bookworm-slim"
STOPPED = 10.0
"""Seconds until a cancelled step must be gone: two are promised, and the machine may be busy."""

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(600)]


def step(script: str, volume: str = "") -> str:
    """A document that runs a script, with a cache volume at /v."""
    mount = f'withMountedCache(path: "/v", cache: "{volume}") {{' if volume else ""
    run = f'withExec(args: ["sh", "-c", {json.dumps(script)}]) {{stdout}}'
    return f'{{container {{from(address: "{IMAGE}") {{{mount}{run}{"}" if volume else ""}}}}}}}'


def running(mark: str) -> list[int]:
    """Processes of this machine whose command line has a mark."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if mark.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def until(condition, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def volume(connect: Connect) -> str:
    answer = connect().ask(f'{{cacheVolume(key: "clients-{uuid.uuid4()}") {{id}}}}')
    return answer["data"]["cacheVolume"]["id"]


def lines(connect: Connect, volume: str) -> int:
    """How many lines the file /v/log has."""
    answer = connect().ask(step(f"wc -l < /v/log # {uuid.uuid4()}", volume))
    return int(answer["data"]["container"]["from"]["withMountedCache"]["withExec"]["stdout"])


def test_three_hundred_requests_in_flight_are_all_answered(client: Client):
    async def work(dag) -> object:
        base = dag.container().from_(IMAGE)
        answers: dict[int, str] = {}

        async def one(number: int) -> None:
            if number % 10:
                answers[number] = await dag.directory().with_new_file("f", str(number)).file("f").contents()
            else:
                answers[number] = await base.with_exec(["echo", "-n", str(number)]).stdout()

        async with anyio.create_task_group() as group:
            for number in range(300):
                group.start_soon(one, number)
        return answers

    assert client(work) == {number: str(number) for number in range(300)}


def test_two_clients_that_ask_for_the_same_step_share_one_execution(connect: Connect, volume: str):
    document = step(f"echo x >> /v/log; sleep 0.5; echo done # {uuid.uuid4()}", volume)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: connect().ask(document), range(8)))
    assert all(answer == answers[0] and "errors" not in answer for answer in answers), answers[0]
    assert lines(connect, volume) == 1


def test_a_request_that_is_sent_again_joins_what_runs_though_the_first_sender_is_gone(connect: Connect, volume: str):
    mark = f"again-{uuid.uuid4()}"
    document = step(f"echo x >> /v/log; sleep 3; echo {mark}", volume)
    first, second = connect(), connect()
    first.send(document)
    assert until(lambda: running(mark))
    second.send(document)
    connect().ask("{version}")  # the second request is read by now
    first.connection.close()
    assert mark in json.dumps(second.answer())
    assert lines(connect, volume) == 1


def test_a_step_that_nobody_waits_for_any_more_is_stopped(connect: Connect):
    mark = f"alone-{uuid.uuid4()}"
    gone = connect()
    gone.send(step(f"sleep 1000; echo {mark}"))
    assert until(lambda: running(mark))
    gone.connection.close()
    assert until(lambda: not running(mark), STOPPED)
    assert "errors" not in connect().ask("{version}")


def test_a_step_that_was_stopped_runs_anew_when_it_is_asked_for_again(connect: Connect, volume: str):
    mark = f"anew-{uuid.uuid4()}"
    document = step(f"echo x >> /v/log; sleep 1; echo {mark}", volume)
    gone = connect()
    gone.send(document)
    assert until(lambda: running(mark))
    gone.connection.close()
    assert mark in json.dumps(connect().ask(document))
    assert lines(connect, volume) in (1, 2)  # joined just in time, or started again
