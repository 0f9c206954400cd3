"""A nested client (a step with a session, a module's function) is a stranger on the machine that the engine runs on."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path

import pytest

from .conftest import INSIDE, Engine, step

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(300)]


def test_it_can_ask_what_is_not_the_hosts(running: Engine):
    assert running.inside('{directory{withNewFile(path:"a",contents:"b"){entries}}}')["data"]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A directory of the host, with a module's configuration and a secret in it."""
    (tmp_path / "secret").write_text("of-the-host")
    (tmp_path / "dagger.json").write_text('{"name": "hosts", "sdk": {"source": "python"}}')
    return tmp_path


@pytest.mark.parametrize(
    "query",
    [
        '{host{directory(path:"KEPT"){entries}}}',
        '{host{directory(path:"/proc/1/root/KEPT"){entries}}}',
        '{host{file(path:"KEPT/secret"){contents}}}',
        "{host{service(ports:[{backend:22,frontend:22}]){endpoint}}}",
        "{host{service(ports:[{backend:22,frontend:22}]){start}}}",
        '{secret(uri:"env://PYTEST_CURRENT_TEST"){plaintext}}',
        '{secret(uri:"file://KEPT/secret"){plaintext}}',
        '{secret(uri:"cmd://cat KEPT/secret"){plaintext}}',
        '{secret(uri:"vault://a/b.c"){plaintext}}',
        '{address(value:"KEPT"){directory{entries}}}',
        '{address(value:"file://KEPT/secret"){file{contents}}}',
        '{address(value:"env://PYTEST_CURRENT_TEST"){secret{plaintext}}}',
        '{address(value:"tcp://localhost:22"){service{start}}}',
        "{engine{localCache{prune}}}",
        '{git(url:"file://KEPT"){head{commit}}}',
        '{moduleSource(refString:"KEPT"){asModule{name}}}',
    ],
)
def test_it_reaches_nothing_of_the_host(running: Engine, kept: Path, query: str):
    answer = running.inside(query.replace("KEPT", str(kept)))
    assert answer.get("errors"), answer


@pytest.mark.parametrize("what", ["", '{file(path:"a")'])
def test_what_it_exports_is_written_in_its_own_sandbox(running: Engine, tmp_path: Path, what: str):
    place = tmp_path / "planted"
    export = f'export(path:"{place}/made")'
    inner = f'file(path:"a"){{{export}}}' if what else export
    answer = running.inside(f'{{directory{{withNewFile(path:"a",contents:"b"){{{inner}}}}}}}')
    assert "errors" not in answer, answer
    assert not place.exists()


def test_its_machine_is_its_sandbox(running: Engine):
    """As with Dagger (core/integration/dind_test.go): what a step has written before it asks is there, filtered."""
    ask = f"perl -e {shlex.quote(INSIDE)} $DAGGER_SESSION_PORT $DAGGER_SESSION_TOKEN"
    asked = [
        '{host{directory(path:"d",exclude:["*.log"]){entries}}}',
        '{host{file(path:"d/a"){contents}}}',
        '{host{findUp(name:"etc")}}',
        '{host{directory(path:"missing"){entries}}}',
        '{secret(uri:"env://OWN"){plaintext}}',
        '{secret(uri:"file:///work/d/a"){plaintext}}',
        '{secret(uri:"cmd://echo -n said"){plaintext}}',
        '{directory{withNewFile(path:"made",contents:"by the engine"){export(path:"/work/out")}}}',
        '{host{file(path:"/work/out/made"){contents}}}',
    ]
    script = "mkdir d; echo -n x > d/a; echo > d/b.log; ln -s /etc/shadow d/link; export OWN=1; "
    script += "; ".join(f"{ask} {shlex.quote(each)}; echo" for each in asked) + f" # {time.time_ns()}"
    before = 'withEnvVariable(name:"OWN",value:"own-value"){withWorkdir(path:"/work"){'
    said = running.data(step(script, "experimentalPrivilegedNesting:true", before=before)).splitlines()
    answers = [json.loads(line) for line in said if line]
    leaves = []
    for each in answers:
        value = each.get("data")
        while isinstance(value, dict):
            (value,) = value.values()
        leaves.append(value)
    assert leaves[0] == ["a", "link"]
    assert leaves[1:3] == ["x", "../etc"]
    assert answers[3]["errors"][0]["extensions"]["reason"] == "host-path-not-found"
    assert leaves[4:] == ["own-value", "x", "said", "/work/out", "by the engine"]


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
    running.inside(query)
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


MODULE = """
from dagger import function, object_type

@object_type
class Test:
    @function
    def hello(self) -> str:
        return "SAID"
"""


def test_two_modules_of_one_name_are_two(running: Engine, tmp_path: Path):
    """Two clients of one session serve each a module of their own; whoever came last answers for nobody else."""
    ask = f"perl -e {shlex.quote(INSIDE)} $DAGGER_SESSION_PORT $DAGGER_SESSION_TOKEN"
    serve, call = '{moduleSource(refString:"."){asModule{serve}}}', "{test{hello}}"
    script = f"{ask} {shlex.quote(serve)} >&2; {ask} {shlex.quote(call)} # {time.time_ns()}"
    said = []
    for word in ("first", "second"):
        folder = tmp_path / word
        (folder / "src/test").mkdir(parents=True)
        (folder / "dagger.json").write_text('{"name": "test", "sdk": {"source": "python"}}')
        (folder / "pyproject.toml").write_text('[project]\nname = "test"\n')
        (folder / "src/test/__init__.py").write_text(MODULE.replace("SAID", word))
        source = running.data(f'{{host{{directory(path:"{folder}"){{id}}}}}}')
        before = f'withDirectory(path:"/work",source:"{source}"){{withWorkdir(path:"/work"){{'
        said.append(json.loads(running.data(step(script, "experimentalPrivilegedNesting:true", before=before))))
    assert said == [{"data": {"test": {"hello": word}}} for word in ("first", "second")]
