"""A user's journey through the running service: a real server process, real HTTP, real stores."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Optional

import pytest

ROOT = Path(__file__).parent.parent.parent


class Browser:
    """Just enough of one: asks the server at a port, answers status and body."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, body: Optional[dict[str, str]] = None) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            if body is None:
                connection.request("GET", path)
            else:
                headers = {"content-type": "application/json"}
                connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def json(self, path: str, body: Optional[dict[str, str]] = None) -> Any:
        return json.loads(self.ask(path, body)[1])


@pytest.fixture
def browser() -> Iterator[Browser]:
    """uvicorn as the image starts it, on a free port."""
    if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
        pytest.fail("DATABASE_URL and REDIS_URL are not set: write .env.test")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            wait(Browser(port))
            yield Browser(port)
        finally:
            process.terminate()


def wait(browser: Browser, seconds: float = 30) -> None:
    """Until the service says that it is well."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if browser.ask("/health")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail(f"the service was not healthy after {seconds:.0f} s")


def test_from_the_first_page_to_a_finished_task(browser: Browser) -> None:
    assert "Task board" in browser.ask("/")[1]
    agent = browser.json("/agents", {"name": f"agent-{time.time_ns()}"})
    browser.ask("/tasks", {"title": "sweep the floor"})
    task = browser.json(f"/agents/{agent['id']}/take", {})
    browser.ask(f"/tasks/{task['id']}/done", {"result": "clean"})
    assert browser.json(f"/tasks/{task['id']}")["status"] == "done"
