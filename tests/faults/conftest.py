"""What fault tests share: an engine of their own on a warm store, the plainest of clients, and one for inside steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

IMAGE = "debian:bookworm-slim"

INSIDE = r"""
my ($port, $token, $query) = @ARGV;
$query =~ s/([\\"])/\\$1/g; $query =~ s/\n/ /g;
my $body = "{\"query\":\"$query\"}";
for my $line (split /\n/, pack("u", "$token:")) { $line = substr($line, 1); $line =~ tr#` -_#AA-Za-z0-9+/#; $auth .= $line; }
$auth = substr($auth, 0, int((length("$token:") * 8 + 5) / 6)); $auth .= "=" x (-length($auth) % 4);
socket(my $s, 2, 1, 0) or die "socket $!";
connect($s, pack("SnC4x8", 2, $port, 127, 0, 0, 1)) or die "connect $!";
syswrite($s, "POST /query HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic $auth\r\nConnection: close\r\n"
    . "Content-Length: " . length($body) . "\r\n\r\n" . $body);
my $answer = ""; while (sysread($s, $answer, 65536, length($answer))) {}
$answer =~ s/^.*?\r\n\r\n//s; print $answer;
"""
"""A client of one request in the Perl that every Debian image has: PORT TOKEN QUERY."""


@dataclass
class Engine:
    """A running engine and the plainest of clients."""

    process: subprocess.Popen[str]
    port: int
    token: str
    log: Path
    events: Path

    def request(self, body: str, path: str = "/query", **headers: str) -> tuple[int, str]:
        authorization = "Basic " + b64encode(f"{self.token}:".encode()).decode()
        given = {"Authorization": authorization} | {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=300)) as connection:
            connection.request("POST", path, body, {name: value for name, value in given.items() if value})
            response = connection.getresponse()
            return response.status, response.read().decode()

    def query(self, query: str, **variables: Any) -> dict[str, Any]:
        _, body = self.request(json.dumps({"query": query, "variables": variables}))
        answer: dict[str, Any] = json.loads(body)
        return answer

    def data(self, query: str, **variables: Any) -> Any:
        """The one leaf of the answer's data."""
        answer = self.query(query, **variables)
        assert "errors" not in answer, answer["errors"]
        value = answer["data"]
        while isinstance(value, dict):
            (value,) = value.values()
        return value

    def inside(self, query: str) -> dict[str, Any]:
        """What a nested client, in a step with a session of its own, is answered."""
        script = f"exec perl -e '{INSIDE}' $DAGGER_SESSION_PORT $DAGGER_SESSION_TOKEN '{query}' # {time.time_ns()}"
        answer: dict[str, Any] = json.loads(self.data(step(script, "experimentalPrivilegedNesting:true")))
        return answer


@contextmanager
def engine(home: Path, scratch: Path, *options: str) -> Iterator[Engine]:
    log, events = scratch / "engine.log", scratch / "events.jsonl"
    with log.open("w") as errors, events.open("w") as told:
        command = [sys.executable, "-m", "sealane_engine", "--home", str(home), "--events-fd", str(told.fileno())]
        with subprocess.Popen(
            [*command, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            pass_fds=(told.fileno(),),
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text()
            said = json.loads(line)
            try:
                yield Engine(process, said["port"], said["session_token"], log, events)
            finally:
                process.stdin.close()
                process.wait(60)


def container(chain: str) -> str:
    return f'{{container{{from(address:"{IMAGE}"){{{chain}}}}}}}'


def step(script: str, *options: str, leaf: str = "stdout", before: str = "") -> str:
    """A query for what a shell script in a container prints; `before` are calls `a(…){b(…){` that lead there."""
    args = ", ".join([f"args:{json.dumps(['sh', '-c', script])}", *options])
    return container(before + f"withExec({args}){{{leaf}}}" + "}" * before.count("{"))


@pytest.fixture(scope="module")
def running(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(
        shared_home, tmp_path_factory.mktemp("engine"), "--backend", os.environ.get("SEALANE_BACKEND", "launcher")
    ) as found:
        yield found
