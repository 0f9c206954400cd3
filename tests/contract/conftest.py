"""The answers of a session of ours to the reference's cases: once as it is, once behind a proxy's variables."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
import dagger
import pytest

Work = Callable[[dagger.Client], Awaitable[object]]
Client = Callable[[Work], object]

REFERENCE = Path(__file__).parent / "reference"
ENGINE = (sys.executable, "-m", "sealane_engine")
NOWHERE = "http://127.0.0.1:9"
BEHIND_A_PROXY = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1"),
    **dict.fromkeys(
        ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"),
        "/etc/ssl/certs/ca-certificates.crt",
    ),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With Dagger's client 1.0, what that does otherwise must fail: beta.toml lists it."""
    if not version("dagger-io").startswith("1."):
        return
    listed = tomllib.loads((Path(__file__).parent / "beta.toml").read_text())
    reasons = {test: each["reason"] for each in listed.values() for test in each["tests"]}
    for item in items:
        if item.name in reasons:
            item.add_marker(pytest.mark.xfail(reason=reasons[item.name], strict=True))


@contextmanager
def session(
    home: Path, environ: dict[str, str], *options: str, program: tuple[str, ...] = ENGINE
) -> Iterator[dict[str, str]]:
    """An engine for as long as the block runs; what a client needs in its environment to use it."""
    command = [*program, "--home", str(home), *options]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environ
        ) as engine,
    ):
        assert engine.stdin is not None
        assert engine.stdout is not None
        line = engine.stdout.readline()
        if not line:
            log.seek(0)
            pytest.fail(f"the engine did not start: {log.read()[-2000:]}")
        said = json.loads(line)
        variables = {"DAGGER_SESSION_PORT": str(said["port"]), "DAGGER_SESSION_TOKEN": said["session_token"]}
        try:
            yield {**environ, **variables}
        finally:
            engine.stdin.close()
            _drain(engine)


def _drain(engine: subprocess.Popen[str]) -> None:
    try:
        engine.wait(30)
    except subprocess.TimeoutExpired:
        engine.kill()


def record(home: Path, target: Path, extra: dict[str, str]) -> dict[str, Any]:
    """Run every case against a session; their answers by name."""
    with session(home, {**os.environ, **extra}) as environ:
        done = subprocess.run(
            [sys.executable, str(REFERENCE / "compare.py"), "--record", str(target)],
            env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        pytest.fail(f"compare.py exited with {done.returncode}: {done.stderr[-2000:]}")
    answers: dict[str, Any] = json.loads(target.read_text())
    return answers


@pytest.fixture(scope="session")
def client_environ(shared_home: Path) -> Iterator[dict[str, str]]:
    """What a client of a plain session has in its environment."""
    with session(shared_home, dict(os.environ)) as environ:
        yield environ


@pytest.fixture(scope="session", params=["plain", "proxied"])
def answers(
    request: pytest.FixtureRequest, shared_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    target = tmp_path_factory.mktemp("answers") / "answers.json"
    return record(shared_home, target, BEHIND_A_PROXY if request.param == "proxied" else {})


@pytest.fixture(scope="module")
def environ(shared_home: Path) -> Iterator[dict[str, str]]:
    """What names a session: the one in the environment, or an engine of ours for the tests of one file."""
    if "DAGGER_SESSION_PORT" in os.environ:
        yield dict(os.environ)
        return
    with session(shared_home, dict(os.environ)) as found:
        yield found


@pytest.fixture
def client(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Client:
    """Run an async function with a client of its own."""
    for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
        monkeypatch.setenv(name, environ[name])

    def run(work: Work) -> object:
        async def main() -> object:
            async with dagger.Connection() as found:
                return await work(found)

        return anyio.run(main)

    return run


class Raw:
    """A connection to the session below any client: what is sent is sent as it is, and it can be dropped at any time."""

    def __init__(self, environ: dict[str, str]) -> None:
        token = base64.b64encode(f"{environ['DAGGER_SESSION_TOKEN']}:".encode()).decode()
        self._headers = {"Content-Type": "application/json", "Authorization": f"Basic {token}"}
        self.connection = http.client.HTTPConnection("127.0.0.1", int(environ["DAGGER_SESSION_PORT"]))

    def send(self, document: str) -> None:
        self.send_bytes(json.dumps({"query": document}).encode())

    def send_bytes(self, body: bytes) -> None:
        self.connection.request("POST", "/query", body, self._headers)

    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.connection.getresponse().read())
        return answer

    def ask(self, document: str) -> dict[str, Any]:
        self.send(document)
        return self.answer()


Connect = Callable[[], Raw]


@pytest.fixture
def connect(environ: dict[str, str]) -> Iterator[Connect]:
    """Opens connections, and closes at the end what is still open."""
    opened: list[Raw] = []

    def one() -> Raw:
        opened.append(Raw(environ))
        return opened[-1]

    yield one
    for each in opened:
        each.connection.close()
