"""Sockets, published ports, merged changesets, health checks and the engine, by the unmodified client."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import anyio
import dagger
import pytest

from .conftest import Client
from .registry import free_port

IMAGE = "python:3.11-slim"

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(900)]
ASK = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('{}'); s.sendall(b'ping'); s.shutdown(1); print(s.recv(99))"


# ---- sockets


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[str]:
    """A unix socket of the host that answers what it was told, and something more."""
    path = str(tmp_path / "echo.sock")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    Path(path).chmod(0o600)
    listening.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.sendall(connection.recv(99) + b" pong")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield path
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(10)


@pytest.mark.parametrize("user", ["", "1234:1234"])
def test_a_step_talks_to_a_socket_of_the_host(client: Client, echo: str, user: str):
    async def work(dag: dagger.Client) -> object:
        container = dag.container().from_(IMAGE).with_env_variable("FOR", echo)
        container = container.with_unix_socket("/run/echo", dag.host().unix_socket(echo), owner=user)
        if user:
            container = container.with_user(user)
        return await container.with_exec(["python3", "-c", ASK.format("/run/echo")]).stdout()

    assert client(work) == "b'ping pong'\n"


def test_a_dockerfile_s_run_talks_to_the_agent_that_is_passed(client: Client, echo: str):
    """core/integration/dockerfile_test.go TestDockerBuildSSH: the first mount's socket is SSH_AUTH_SOCK."""

    async def work(dag: dagger.Client) -> object:
        ask = ASK.replace("'{}'", "__import__('os').environ['SSH_AUTH_SOCK']").replace('"', "'")
        text = (
            f'FROM {IMAGE}\nRUN --mount=type=ssh,required=true echo {echo}; python3 -c "{ask}" > /said; env >> /said\n'
        )
        context = dag.directory().with_new_file("Dockerfile", text)
        said = await context.docker_build(ssh=dag.host().unix_socket(echo)).file("/said").contents()
        with pytest.raises(dagger.QueryError, match="no agent"):
            await context.docker_build().sync()
        return said.splitlines()[0], "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0" in said

    assert client(work) == ("b'ping pong'", True)


def test_a_socket_that_was_taken_away_is_not_there(client: Client, echo: str):
    async def work(dag: dagger.Client) -> object:
        container = dag.container().from_(IMAGE).with_unix_socket("/run/echo", dag.address(f"unix://{echo}").socket())
        gone = container.without_unix_socket("/run/echo").with_exec(["ls", "/run"])
        return await container.with_exec(["sh", "-c", "test -S /run/echo"]).exit_code(), await gone.stdout()

    code, listing = client(work)
    assert code == 0
    assert "echo" not in listing


# ---- up


def test_up_maps_a_container_s_port_until_it_is_cancelled(client: Client):
    port = free_port()

    async def work(dag: dagger.Client) -> object:
        container = (
            dag.container().from_(IMAGE).with_new_file("/w/index.html", "up").with_workdir("/w").with_exposed_port(8000)
        )
        async with anyio.create_task_group() as group:
            group.start_soon(
                lambda: container.up(
                    ports=[dagger.PortForward(backend=8000, frontend=port)], args=["python3", "-m", "http.server"]
                )
            )
            body = await anyio.to_thread.run_sync(until_served, f"http://127.0.0.1:{port}/")
            group.cancel_scope.cancel()
        return body

    assert client(work) == "up"


def until_served(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    gate = threading.Event()
    for _ in range(600):
        try:
            with opener.open(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            gate.wait(0.1)
    raise AssertionError(f"nothing answers at {url}")


# ---- changesets


def test_what_changed_is_counted_by_path(client: Client):
    async def work(dag: dagger.Client) -> object:
        long = "".join(f"line {number}\n" for number in range(20))
        before = (
            dag.directory().with_new_file("a", "1\n2\n3\n").with_new_file("gone/x", "x\n").with_new_file("old", long)
        )
        after = (
            dag.directory()
            .with_new_file("a", "1\ntwo\n3\n4\n")
            .with_new_file("new/f", "f\n")
            .with_new_file("moved", long)
        )
        found = []
        for stat in await after.changes(before).diff_stats():
            lines = (await stat.added_lines(), await stat.removed_lines())
            found.append((await stat.path(), (await stat.kind()).value, *lines, await stat.old_path()))
        return found

    assert client(work) == [
        ("a", "MODIFIED", 2, 1, None),
        ("gone/", "REMOVED", 0, 0, None),
        ("gone/x", "REMOVED", 0, 1, None),
        ("moved", "RENAMED", 0, 0, "old"),
        ("new/", "ADDED", 0, 0, None),
        ("new/f", "ADDED", 1, 0, None),
    ]


def test_changesets_that_touch_other_files_are_merged(client: Client):
    async def work(dag: dagger.Client) -> object:
        base = dag.directory().with_new_file("a", "a").with_new_file("b", "b").with_new_file("c", "c")
        one = base.with_new_file("a", "changed").changes(base)
        two = base.with_new_file("new/n", "n").changes(base)
        three = base.without_file("c").changes(base)
        both, all_ = one.with_changeset(two), one.with_changesets([two, three])
        return [
            await both.modified_paths(), await both.added_paths(), await all_.removed_paths(),
            await all_.after().file("a").contents(), await one.with_changesets([]).added_paths(),
        ]  # fmt: skip

    assert client(work) == [["a"], ["new/", "new/n"], ["c"], "changed", []]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("PREFER_OURS", "ours\n"),
        ("PREFER_THEIRS", "theirs\n"),
        ("LEAVE_CONFLICT_MARKERS", "<<<<<<<"),
        ("FAIL", "can't be merged"),
        ("FAIL_EARLY", "path modified in both changesets"),
    ],
)
def test_a_conflict_is_solved_as_asked(client: Client, strategy: str, expected: str):
    async def work(dag: dagger.Client) -> object:
        base = dag.directory().with_new_file("f", "base\n")
        ours, theirs = (base.with_new_file("f", f"{text}\n").changes(base) for text in ("ours", "theirs"))
        merged = ours.with_changeset(theirs, on_conflict=dagger.ChangesetMergeConflict[strategy])
        return await merged.after().file("f").contents()

    if strategy.startswith("FAIL"):
        with pytest.raises(dagger.QueryError, match=expected):
            client(work)
    else:
        assert str(client(work)).startswith(expected)


@pytest.mark.parametrize(
    ("strategy", "there"), [("PREFER_OURS", True), ("PREFER_THEIRS", False), ("LEAVE_CONFLICT_MARKERS", True)]
)
def test_a_file_changed_here_and_removed_there(client: Client, strategy: str, there: bool):
    async def work(dag: dagger.Client) -> object:
        base = dag.directory().with_new_file("f", "base\n").with_new_file("g", "g\n")
        ours, theirs = base.with_new_file("f", "ours\n").changes(base), base.without_file("f").changes(base)
        merged = ours.with_changeset(theirs, on_conflict=dagger.ChangesetMergeConflict[strategy])
        return await merged.after().exists("f")

    assert client(work) is there


# ---- health checks, the engine


def test_a_health_check_says_what_was_said(client: Client):
    async def work(dag: dagger.Client) -> object:
        args = ["true"]
        said = dag.container().with_docker_healthcheck(
            args, interval="25s", timeout="1h2m", start_period="1m", start_interval="250ms", retries=8
        )
        plain = dag.container().with_docker_healthcheck(args)
        found = []
        for check in (said.docker_healthcheck(), plain.docker_healthcheck()):
            times = [await check.interval(), await check.timeout(), await check.start_period()]
            found.append([*times, await check.start_interval(), await check.retries()])
        return found

    assert client(work) == [["25s", "1h2m0s", "1m0s", "250ms", 8], ["0s", "0s", "0s", "0s", 0]]


def test_the_engine_has_a_name_and_a_cache(client: Client):
    async def work(dag: dagger.Client) -> object:
        entries = dag.engine().local_cache().entry_set()
        return [await dag.engine().name() != "", await entries.entry_count() > 0, await entries.disk_space_bytes() > 0]

    assert client(work) == [True, True, True]


def test_the_cache_keeps_room_on_the_disk_and_gives_some_up_when_asked(client: Client):
    """What is wanted free here is there: this only asks that each way of saying it is understood."""

    async def work(dag: dagger.Client) -> object:
        cache = dag.engine().local_cache()
        await cache.prune(use_default_policy=True, min_free_space="1KB", reserved_space="90%")
        numbers = [await cache.min_free_space(), await cache.reserved_space(), await cache.max_used_space()]
        with pytest.raises(dagger.QueryError, match="invalid size 'much'"):
            await cache.prune(use_default_policy=True, min_free_space="much")
        return [number > 0 for number in numbers]

    assert client(work) == [True, True, False]
