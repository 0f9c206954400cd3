"""A nested client (a step with a session, a module's function) is a stranger on the machine that the engine runs on."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import pytest

from .conftest import INSIDE, Engine, step

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(300)]


def test_it_can_ask_what_is_not_the_hosts(running: Engine):
    assert running.inside('{directory{withNewFile(path:"a",contents:"b"){entries}}}')["data"]


@pytest.mark.parametrize(
    "query",
    [
        '{host{directory(path:"/etc"){entries}}}',
        '{host{file(path:"/etc/shadow"){contents}}}',
        '{host{findUp(name:"etc")}}',
        "{host{service(ports:[{backend:22,frontend:22}]){endpoint}}}",
        "{host{service(ports:[{backend:22,frontend:22}]){start}}}",
        '{secret(uri:"env://PATH"){plaintext}}',
        '{secret(uri:"file:///etc/shadow"){plaintext}}',
        '{secret(uri:"cmd://id"){plaintext}}',
        '{address(value:"/etc"){directory{entries}}}',
        '{address(value:"file:///etc/shadow"){file{contents}}}',
        '{address(value:"env://PATH"){secret{plaintext}}}',
        '{address(value:"tcp://localhost:22"){service{start}}}',
        "{engine{localCache{prune}}}",
        '{git(url:"file:///work"){head{commit}}}',
        '{moduleSource(refString:"/work"){sourceRootSubpath}}',
        '{directory{withNewFile(path:"a",contents:"b"){export(path:"/tmp/sealane-planted")}}}',
        '{directory{withNewFile(path:"a",contents:"b"){file(path:"a"){export(path:"/tmp/sealane-planted")}}}}',
    ],
)
def test_it_reaches_nothing_of_the_host(running: Engine, query: str):
    answer = running.inside(query)
    assert answer.get("errors"), answer
    assert not Path("/tmp/sealane-planted").exists()


def test_it_opens_no_port_on_the_host(running: Engine):
    service = 'container{from(address:"debian:bookworm-slim"){withExposedPort(port:1,experimentalSkipHealthcheck:true){asService(args:["sleep","30"]){'
    started = running.inside("{" + service + "up(ports:[{backend:1,frontend:47123}])}}}}}")
    assert started.get("errors"), started


def test_an_id_that_it_made_is_evaluated_as_its_own_by_whoever_gets_it(running: Engine):
    """A module may return `dag.host().directory("/root")`: that isn't the caller's machine."""
    for query, loaded in (
        ('{host{directory(path:"/etc"){id}}}', "Directory"),
        ('{secret(uri:"file:///etc/shadow"){id}}', "Secret"),
    ):
        answer = running.inside(query)
        if answer.get("errors"):
            continue
        value = answer["data"]
        while isinstance(value, dict):
            (value,) = value.values()
        leaf = {"Directory": "entries", "Secret": "plaintext"}[loaded]
        taken = running.query(f"query($id: {loaded}ID!) {{load{loaded}FromID(id:$id){{{leaf}}}}}", id=value)
        assert taken.get("errors"), taken


def test_what_it_is_handed_it_may_use(running: Engine, tmp_path: Path):
    """The caller's directory, not yet read when the nested client asks for it; and it can't send it to the host."""
    (tmp_path / "file").write_text("of the caller")
    directory = running.data(f'{{host{{directory(path:"{tmp_path}"){{id}}}}}}')
    query = f'{{loadDirectoryFromID(id:"{directory}"){{file(path:"file"){{contents}}}}}}'
    assert running.inside(query)["data"]["loadDirectoryFromID"]["file"]["contents"] == "of the caller"
    query = f'{{loadDirectoryFromID(id:"{directory}"){{export(path:"{tmp_path}/planted")}}}}'
    assert running.inside(query).get("errors")
    assert not (tmp_path / "planted").exists()


def test_its_token_is_worth_nothing_elsewhere_or_later(running: Engine):
    token = running.data(
        step(f"echo $DAGGER_SESSION_TOKEN # {time.time_ns()}", "experimentalPrivilegedNesting:true")
    ).strip()
    assert token
    assert token != running.token
    mine, running.token = running.token, token
    try:
        status, _ = running.request('{"query":"{version}"}')
    finally:
        running.token = mine
    assert status == 401
    script = f"perl -e {shlex.quote(INSIDE)} $DAGGER_SESSION_PORT {token} '{{version}}'"
    assert "unauthorized" in running.data(step(script, "experimentalPrivilegedNesting:true"))


def test_a_step_without_a_session_has_no_way_to_one(running: Engine):
    script = (
        "env | grep -c DAGGER; "
        f"perl -e {shlex.quote(INSIDE)} {running.port} {running.token} '{{version}}' 2>&1; "
        f"perl -e {shlex.quote(INSIDE)} 8080 x '{{version}}' 2>&1; true"
    )
    said = running.data(step(script))
    assert said.splitlines()[0] == "0"
    assert "version" not in said
    assert said.count("connect Connection refused") == 2
