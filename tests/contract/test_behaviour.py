"""What a pipeline relies on beyond single answers: sharing, isolation, cancellation, size. Runs on any session.

With DAGGER_SESSION_PORT and DAGGER_SESSION_TOKEN set it uses that session, else an engine of ours.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import anyio
import dagger
import pytest

from .conftest import Client

IMAGE = "debian:bookworm-slim"

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(900)]


def sh(dag: dagger.Client, script: str) -> dagger.Container:
    return dag.container().from_(IMAGE).with_exec(["sh", "-c", script])


def stamp() -> str:
    return str(time.time_ns())


def test_a_chain_of_400_calls_is_one_answer(client: Client):
    async def work(dag: dagger.Client) -> object:
        directory = dag.directory()
        for number in range(400):
            directory = directory.with_new_file(f"d{number % 7}/f{number}", str(number))
        return len(await directory.glob("**/f*"))

    assert client(work) == 400


def test_one_name_with_two_values_is_two_secrets(client: Client):
    async def work(dag: dagger.Client) -> object:
        mark, lengths = stamp(), []
        for value in ("first-value", "second-longer-value"):
            container = dag.container().from_(IMAGE).with_secret_variable("S", dag.set_secret("s", value))
            lengths.append((await container.with_exec(["sh", "-c", f"echo ${{#S}} # {mark}"]).stdout()).strip())
        return lengths

    assert client(work) == ["11", "19"]


def test_a_secret_is_masked_in_every_stream_and_in_no_layer(client: Client):
    async def work(dag: dagger.Client) -> object:
        container = dag.container().from_(IMAGE).with_secret_variable("S", dag.set_secret("s", "correct-horse-battery"))
        container = container.with_exec(["sh", "-c", 'echo "$S"; printf %s "$S" | base64; echo "$S" >&2'])
        return [await container.stdout(), await container.stderr()]

    stdout, stderr = client(work)  # type: ignore[misc]
    assert "correct-horse" not in stdout + stderr
    assert "Y29ycmVjdC1ob3JzZS" not in stdout


def test_a_locked_cache_volume_has_one_user_at_a_time(client: Client):
    async def work(dag: dagger.Client) -> object:
        volume = dag.cache_volume(f"locked-{stamp()}")
        script = "n=$(cat /c/n 2>/dev/null || echo 0); sleep 0.1; echo $((n+1)) > /c/n # {}"

        async def add(number: int) -> None:
            base = dag.container().from_(IMAGE)
            mounted = base.with_mounted_cache("/c", volume, sharing=dagger.CacheSharingMode.LOCKED)
            await mounted.with_exec(["sh", "-c", script.format(number)]).sync()

        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(add, number)
        return (
            await dag.container()
            .from_(IMAGE)
            .with_mounted_cache("/c", volume, sharing=dagger.CacheSharingMode.LOCKED)
            .with_exec(["cat", "/c/n"])
            .stdout()
        )

    assert client(work) == "6\n"


def test_a_private_cache_volume_is_never_shared_at_the_same_time(client: Client):
    async def work(dag: dagger.Client) -> object:
        volume, seen = dag.cache_volume(f"private-{stamp()}"), []

        async def use(number: int) -> None:
            mounted = (
                dag.container().from_(IMAGE).with_mounted_cache("/c", volume, sharing=dagger.CacheSharingMode.PRIVATE)
            )
            script = f"touch /c/{number}; sleep 0.5; ls /c | wc -l"
            seen.append((await mounted.with_exec(["sh", "-c", script]).stdout()).strip())

        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(use, number)
        return seen

    assert client(work) == ["1", "1", "1"]


def test_a_step_whose_inputs_have_the_content_they_had_is_not_run_again(client: Client, tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/f").write_text("same")

    async def work(dag: dagger.Client) -> object:
        outs = []
        for source in (dag.host().directory(str(tmp_path / "a")), dag.directory().with_new_file("f", "same")):
            container = dag.container().from_(IMAGE).with_mounted_directory("/m", source)
            outs.append(await container.with_exec(["sh", "-c", "cat /m/f; date +%s%N"]).stdout())
        return outs

    first, second = client(work)  # type: ignore[misc]
    assert first.startswith("same")
    assert first == second


def test_an_ordinary_step_has_no_session(client: Client):
    async def work(dag: dagger.Client) -> object:
        return await sh(dag, f"env | grep -c DAGGER_SESSION || true # {stamp()}").stdout()

    assert client(work) == "0\n"


def test_a_nested_step_has_a_session_of_its_own(client: Client):
    async def work(dag: dagger.Client) -> object:
        query = '{"query":"{version}"}'
        script = (
            "import base64,json,os,urllib.request as u;"
            "t=base64.b64encode((os.environ['DAGGER_SESSION_TOKEN']+':').encode()).decode();"
            "r=u.Request('http://127.0.0.1:'+os.environ['DAGGER_SESSION_PORT']+'/query',"
            f"data={query!r}.encode(),headers={{'Authorization':'Basic '+t,'Content-Type':'application/json'}});"
            "print(json.load(u.urlopen(r))['data']['version'][:1])"
        )
        container = dag.container().from_("python:3.11-slim")
        return await container.with_exec(["python3", "-c", script], experimental_privileged_nesting=True).stdout()

    assert client(work) == "v\n"


def test_a_client_that_goes_away_takes_its_step_along(client: Client):
    mark = f"9{time.time_ns() % 10**8}"

    async def work(dag: dagger.Client) -> object:
        with anyio.move_on_after(3):
            await sh(dag, f"exec sleep {mark}").sync()
        return None

    client(work)
    deadline = time.monotonic() + 5
    while (found := _running(f"sleep {mark}")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not found


def _running(command: str) -> bool:
    return subprocess.run(["pgrep", "-fx", command], capture_output=True, check=False).returncode == 0


def test_a_failing_step_does_not_disturb_its_neighbours(client: Client):
    async def work(dag: dagger.Client) -> object:
        outcomes: dict[int, object] = {}

        async def one(number: int) -> None:
            try:
                outcomes[number] = await sh(dag, f"exit {number} # {stamp()}").exit_code()
            except dagger.ExecError as error:
                outcomes[number] = (error.exit_code, error.command[:2])

        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(one, number)
        return outcomes

    assert client(work) == {0: 0, **{n: (n, ["sh", "-c"]) for n in (1, 2, 3)}}


def test_writes_to_a_mounted_directory_do_not_change_what_was_mounted(client: Client):
    async def work(dag: dagger.Client) -> object:
        source = dag.directory().with_new_file("f", "before")
        container = dag.container().from_(IMAGE).with_mounted_directory("/m", source)
        after = container.with_exec(["sh", "-c", "echo after > /m/f; rm -rf /m/gone"]).directory("/m")
        return [await source.file("f").contents(), await after.file("f").contents()]

    assert client(work) == ["before", "after\n"]


def test_a_service_is_healthy_before_its_user_runs(client: Client):
    async def work(dag: dagger.Client) -> object:
        server = (
            dag.container()
            .from_("python:3.11-slim")
            .with_exposed_port(8000)
            .as_service(args=["sh", "-c", "sleep 1; exec python3 -m http.server 8000"])
        )
        user = dag.container().from_("python:3.11-slim").with_service_binding("slow", server)
        script = f"import urllib.request as u; print(u.urlopen('http://slow:8000').status) # {stamp()}"
        return await user.with_exec(["python3", "-c", script]).stdout()

    assert client(work) == "200\n"


def test_a_healthcheck_that_never_passes_is_an_error_that_shows_the_log(client: Client):
    async def work(dag: dagger.Client) -> object:
        server = (
            dag.container()
            .from_(IMAGE)
            .with_docker_healthcheck(["false"], interval="100ms", timeout="1s", retries=2)
            .as_service(args=["sh", "-c", "echo not ready yet; exec sleep 60"])
        )
        with pytest.raises(dagger.QueryError) as caught:
            await dag.container().from_(IMAGE).with_service_binding("s", server).with_exec(["true", stamp()]).sync()
        return str(caught.value)

    message = str(client(work))
    assert "not healthy" in message
    assert "not ready yet" in message


@pytest.mark.parametrize("place", ["with_directory", "with_mounted_directory"])
def test_a_step_sees_a_directory_that_was_laid_over_itself(client: Client, place: str):
    async def work(dag: dagger.Client) -> object:
        before = dag.directory().with_new_file("a/b", "1").with_new_file("c", "2")
        after = before.with_new_file("c", "3").with_new_file("d", "4").with_directory("/", before)
        container = getattr(dag.container().from_(IMAGE), place)("/w", after)
        return await container.with_exec(["grep", "-r", ".", "/w", "--no-filename"]).stdout()

    assert sorted(str(client(work)).split()) == ["1", "2", "4"]
