"""Processes with namespaces of their own, as a sandbox has them, and ways to try the network from inside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from sealane_engine.events import Event, Events


class Step:
    """A process with its own user and network namespace."""

    def __init__(self) -> None:
        command = ["unshare", "--user", "--net", "--map-root-user", "sh", "-c", "echo made; exec sleep infinity"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        self.pid = self.process.pid

    def command(self, *argv: str) -> list[str]:
        return ["nsenter", f"--target={self.pid}", "--user", "--net", "--preserve-credentials", *argv]

    def run(self, *argv: str) -> str:
        done = subprocess.run(self.command(*argv), capture_output=True, text=True, check=False, timeout=30)
        return (done.stdout + done.stderr).strip()

    def python(self, code: str) -> str:
        return self.run(sys.executable, "-I", "-S", "-c", f"import socket\n{code}")

    def dial(self, address: str, port: int) -> str:
        """What the other side says first, or the name of the error."""
        return self.python(
            f"try: print(socket.create_connection(({address!r}, {port}), 2).recv(99).decode())\n"
            "except OSError as error: print(type(error).__name__, error.errno)"
        )

    def serve(self, port: int, says: str) -> subprocess.Popen[str]:
        """A server that says one thing to everyone."""
        code = (
            f"import socket\ns = socket.create_server(('', {port}))\nprint('listens', flush=True)\n"
            f"while True:\n c = s.accept()[0]\n c.sendall({says.encode()!r})\n c.close()"
        )
        command = self.command(sys.executable, "-I", "-S", "-c", code)
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        server.stdout.readline()
        return server

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def make_step() -> Iterator[type[Step]]:
    made: list[Step] = []

    def make() -> Step:
        made.append(Step())
        return made[-1]

    yield make
    for step in made:
        step.end()


@pytest.fixture
def serve() -> Iterator[object]:
    servers: list[subprocess.Popen[str]] = []

    def start(step: Step, port: int, says: str) -> None:
        servers.append(step.serve(port, says))

    yield start
    for server in servers:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.fixture
def told() -> tuple[Events, list[Event]]:
    events, heard = Events(), []
    events.listen(heard.append)
    return events, heard
