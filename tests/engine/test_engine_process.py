"""The engine as a process: what a kill leaves behind, several engines on one store, a full disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(600)]

IMAGE = "debian:bookworm-slim"


@dataclass
class Engine:
    """A running engine and the plainest of clients."""

    process: subprocess.Popen[str]
    port: int
    token: str

    def connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=300)

    def send(self, query: str) -> HTTPConnection:
        connection = self.connection()
        authorization = "Basic " + b64encode(f"{self.token}:".encode()).decode()
        body = json.dumps({"query": query})
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        connection.request("POST", "/query", body, headers)
        return connection

    def query(self, query: str) -> dict[str, Any]:
        with closing(self.send(query)) as connection:
            answer: dict[str, Any] = json.load(connection.getresponse())
        return answer


@contextmanager
def engine(home: Path) -> Iterator[Engine]:
    command = [sys.executable, "-m", "sealane_engine", "--home", str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        try:
            yield Engine(process, said["port"], said["session_token"])
        finally:
            process.stdin.close()
            process.wait(60)


def step(script: str) -> str:
    args = json.dumps(["sh", "-c", script])
    return f'{{container{{from(address:"{IMAGE}"){{withExec(args:{args}){{stdout}}}}}}}}'


def service(script: str) -> str:
    args = json.dumps(["sh", "-c", script])
    return f'{{container{{from(address:"{IMAGE}"){{asService(args:{args}){{start}}}}}}}}'


def descendants(pid: int) -> dict[int, str]:
    """All processes below one, and the network namespace of each."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    todo = [pid]
    while todo:
        parent = todo.pop()
        for child in [child for child, its in parents.items() if its == parent]:
            with suppress(OSError):
                found[child] = str(Path(f"/proc/{child}/ns/net").readlink())
                todo.append(child)
    return found


def namespaces() -> set[str]:
    """The network namespaces that any process is in."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        with suppress(OSError):
            found.add(str(link.readlink()))
    return found


def alive(pids: dict[int, str]) -> list[int]:
    return [pid for pid, namespace in pids.items() if _same(pid, namespace)]


def _same(pid: int, namespace: str) -> bool:
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink()) == namespace
    except OSError:
        return False


def until(condition: Any, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_kill_in_the_middle_leaves_nothing_and_a_store_that_works(shared_home: Path):
    mounts = Path("/proc/self/mountinfo").read_text()
    mine = str(Path("/proc/self/ns/net").readlink())
    mark = time.time_ns()
    with engine(shared_home) as running:
        running.query(step("true"))
        running.query(service(f"exec sleep {mark % 10**6 + 10**6}"))
        pending = running.send(step(f"echo half > /written; sleep 300 # {mark}"))
        assert until(lambda: len(set(descendants(running.process.pid).values())) >= 4)  # engine, router, service, step
        below = descendants(running.process.pid)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        pending.close()
    assert until(lambda: not alive(below))
    assert not (set(below.values()) - {mine}) & namespaces()
    assert Path("/proc/self/mountinfo").read_text() == mounts
    with engine(shared_home) as again:
        answer = again.query(step(f"echo fine # {mark}"))
        assert answer["data"]["container"]["from"]["withExec"]["stdout"] == "fine\n"


def test_an_engine_that_ends_takes_its_services_along(shared_home: Path):
    with engine(shared_home) as running:
        running.query(service(f"exec sleep {time.time_ns() % 10**6 + 10**6}"))
        below = descendants(running.process.pid)
        assert len(below) >= 3
    assert not alive(below)


def test_two_engines_share_a_store(shared_home: Path):
    mark = time.time_ns()
    script = f"date +%s%N # {mark}"
    with engine(shared_home) as one, engine(shared_home) as other:
        assert one.query(step(script)) == other.query(step(script))


def test_a_full_disk_is_an_error_that_says_so_and_the_engine_goes_on(tmp_path: Path):
    image, home = tmp_path / "disk", tmp_path / "home"
    home.mkdir()
    with image.open("wb") as file:
        file.truncate(24 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(home)], check=True)
    try:
        big = tmp_path / "big"
        big.mkdir()
        (big / "file").write_bytes(os.urandom(40 * 1024 * 1024))
        small = tmp_path / "small"
        small.mkdir()
        (small / "file").write_text("fits")
        with engine(home) as running:
            refused = running.query(f'{{host{{directory(path:"{big}"){{entries}}}}}}')
            assert refused["errors"][0]["extensions"]["reason"] == "disk-full"
            assert str(home) in refused["errors"][0]["message"]
            answered = running.query(f'{{host{{directory(path:"{small}"){{file(path:"file"){{contents}}}}}}}}')
            assert answered["data"]["host"]["directory"]["file"]["contents"] == "fits"
    finally:
        subprocess.run(["umount", str(home)], check=True)
