"""A command at the client's terminal, and images for the container engine of the client's machine."""

from __future__ import annotations

import os
import select
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagger
import pytest

from .conftest import Client, Connect, session

IMAGE = "debian:bookworm-slim"
DOCKER = """\
#!/bin/sh
[ "$1 $2" = "load --input" ] && cp "$3" "$(dirname "$0")/loaded.tar"
"""

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def terminal() -> Iterator[tuple[int, str]]:
    """Our end of a terminal, and the path of the other."""
    ours, theirs = os.openpty()
    yield ours, os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `docker` that keeps what it is told to load: it stands in for the one that isn't here."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def environ(shared_home: Path, terminal: tuple[int, str], tools: Path) -> Iterator[dict[str, str]]:
    extra = {"SEALANE_TERMINAL": terminal[1], "PATH": f"{tools}:{os.environ['PATH']}"}
    with session(shared_home, {**os.environ, **extra}) as found:
        yield found


def read_until(descriptor: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        assert select.select([descriptor], [], [], 60)[0], f"{wanted!r} never came: {seen!r}"
        seen += os.read(descriptor, 4096)
    return seen


def test_a_shell_has_the_client_s_terminal_and_leaves_nothing(client: Client, terminal: tuple[int, str]):
    ours, _ = terminal
    os.write(ours, b"touch /left; test -t 0 && echo is-$((40+2))-there; exit 3\n")

    async def work(dag: dagger.Client) -> object:
        container = dag.container().from_(IMAGE).with_default_terminal_cmd(["/bin/sh"])
        return await container.terminal().exists("/left")

    assert client(work) is False
    assert b"is-42-there" in read_until(ours, b"is-42-there")


def test_a_command_may_be_named(client: Client, terminal: tuple[int, str]):
    async def work(dag: dagger.Client) -> object:
        container = dag.container().from_(IMAGE).with_default_terminal_cmd(["false"])
        await container.terminal(cmd=["sh", "-c", "echo from-$((1+1))-sh"]).sync()

    client(work)
    assert b"from-2-sh" in read_until(terminal[0], b"from-2-sh")


def test_without_a_terminal_there_is_an_error(shared_home: Path, monkeypatch: pytest.MonkeyPatch, client: Client):
    with session(shared_home, {**os.environ, "SEALANE_TERMINAL": "/dev/null"}) as found:
        for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
            monkeypatch.setenv(name, found[name])

        async def work(dag: dagger.Client) -> object:
            return await dag.container().from_(IMAGE).terminal().sync()

        with pytest.raises(dagger.QueryError, match="no terminal"):
            client(work)


@pytest.fixture
def interactive(
    shared_home: Path, terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """Makes the client's session one where a failed step opens that shell."""
    with ExitStack() as stack:

        def start(shell: str) -> None:
            environ = {"SEALANE_TERMINAL": terminal[1], **os.environ}
            found = stack.enter_context(session(shared_home, environ, "--shell", shell))
            for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
                monkeypatch.setenv(name, found[name])

        yield start


def test_a_failed_step_opens_a_shell_with_what_it_left_and_its_services_up(
    client: Client, terminal: tuple[int, str], interactive: Callable[[str], None]
):
    interactive("/bin/bash")
    ours, _ = terminal
    os.write(ours, b"cat /left; echo $FROM; pwd; exec 3<>/dev/tcp/web/8080 && echo web-is-$((40+2))-up; exit\n")

    async def work(dag: dagger.Client) -> object:
        served = dag.directory().with_new_file("index.html", "hello")
        web = (
            dag.container()
            .from_("python:3.11-slim")
            .with_directory("/srv", served)
            .with_workdir("/srv")
            .with_exposed_port(8080)
            .as_service(args=["python", "-m", "http.server", "8080"])
        )
        failing = (
            dag.container()
            .from_("debian:bookworm")
            .with_service_binding("web", web)
            .with_env_variable("FROM", f"the-{time.time_ns()}-step")
            .with_workdir("/work")
            .with_exec(["sh", "-c", "echo what-the-step-left > /left; exit 7"])
        )
        with pytest.raises(dagger.ExecError) as caught:
            await failing.sync()
        return caught.value.exit_code

    assert client(work) == 7
    seen = read_until(ours, b"web-is-42-up")
    for each in (b"what-the-step-left", b"-step", b"/work"):
        assert each in seen


def test_a_step_that_may_fail_opens_none(client: Client, interactive: Callable[[str], None]):
    interactive("/bin/sh")

    async def work(dag: dagger.Client) -> object:
        failing = dag.container().from_(IMAGE).with_env_variable("NOW", str(time.time_ns()))
        return await failing.with_exec(["false"], expect=dagger.ReturnType.ANY).exit_code()

    assert client(work) == 1


@pytest.mark.parametrize(("shell", "tty"), [("/nowhere/sh", None), ("/bin/sh", "/dev/null")])
def test_without_that_shell_or_a_terminal_the_failure_is_told_all_the_same(
    client: Client,
    interactive: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    shell: str,
    tty: str | None,
):
    if tty:
        monkeypatch.setenv("SEALANE_TERMINAL", tty)
    interactive(shell)

    async def work(dag: dagger.Client) -> object:
        failing = dag.container().from_(IMAGE).with_env_variable("NOW", str(time.time_ns()))
        with pytest.raises(dagger.ExecError) as caught:
            await failing.with_exec(["sh", "-c", "exit 5"]).sync()
        return caught.value.exit_code

    assert client(work) == 5


def test_an_image_is_loaded_under_its_name(connect: Connect, tools: Path):
    answer = connect().ask(
        f'{{container{{from(address:"{IMAGE}"){{withLabel(name:"a",value:"b"){{exportImage(name:"sealane-test:one")}}}}}}}}'
    )
    assert "errors" not in answer, answer
    with tarfile.open(tools / "loaded.tar") as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        assert b'"docker.io/library/sealane-test:one"' in manifest.read()
