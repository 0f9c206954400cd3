"""What Dagger's own command line (0.21.8) sends: HTTP/2 in clear text, its metadata, its queries as they were recorded.

Its modules are those that the metadata name; nothing else asks for them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import httpx
import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

FUNCTIONS = "query TypeDefs($hideCore: Boolean) { currentTypeDefs(returnAllTypes: true, hideCore: $hideCore) {"
FUNCTIONS += " name kind asObject { name functions { name } } } }"
LISTED = "query CheckGroupListDetails($id: ID!) { group: node(id: $id) { ... on CheckGroup { list { name } } } }"
RUN = "query CheckGroupRunStatuses($id: ID!) { group: node(id: $id) { ... on CheckGroup { run(failFast: false) {"
RUN += " list { name passed } } } } }"
ASKED = [
    ('{hello(name:"you", volume:"LOUD", times:2)}', {"hello": "HELLO, YOU! HELLO, YOU!"}),
    ('{with(greeting:"Hi"){everyone(names:["a","b"])}}', {"with": {"everyone": ["Hi, a!", "Hi, b!"]}}),
    ('{card(name:"x"){copied(copies:2){copies}}}', {"card": {"copied": {"copies": 2}}}),
    ('{cards(names:["a","b"]){text}}', {"cards": [{"text": "Hello, a!\n"}, {"text": "Hello, b!\n"}]}),
    ('{moduleSource(refString:"."){configExists}}', {"moduleSource": {"configExists": True}}),
    ('{moduleSource(refString:"."){originalSubpath}}', {"moduleSource": {"originalSubpath": "."}}),
    ('{moduleSource(refString:"."){pin}}', {"moduleSource": {"pin": ""}}),
    ("{ownFiles}", {"ownFiles": [".git/", "dagger.json", "pyproject.toml"]}),
]


class Line:
    """A session as Dagger's command line meets it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        self.address = f"http://127.0.0.1:{said['port']}"
        self.login = (said["session_token"], "")

    def post(self, path: str, body: bytes = b"", **metadata: object) -> httpx.Response:
        told = {"client_id": "c", "session_id": "s", "client_version": "v0.21.8", "labels": {}, **metadata}
        headers = {"X-Dagger-Client-Metadata": b64encode(json.dumps(told).encode()).decode()}
        with httpx.Client(http1=False, http2=True, trust_env=False, auth=self.login, timeout=120) as client:
            return client.post(self.address + path, content=body, headers=headers)

    def ask(self, query: str, metadata: dict[str, object], **variables: object) -> dict[str, object]:
        operation = named[1] if (named := re.match(r"query (\w+)", query)) else ""
        body = {"query": query, "variables": variables, "operationName": operation}
        response = self.post("/query", json.dumps(body).encode(), **metadata)
        assert response.http_version == "HTTP/2"
        found: dict[str, object] = response.json()
        return found


HERE_ONLY: dict[str, object] = {"load_workspace_modules": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("wire") / "greeter"
    shutil.copytree(HERE / "modules/greeter", made, ignore=shutil.ignore_patterns("__pycache__"))
    (made / ".git").mkdir()
    return made


def session(where: Path) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "sealane", "--silent", "session"]
    return subprocess.Popen(command, cwd=where, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def line(folder: Path):
    with session(folder) as process:
        found = Line(process)
        assert found.post("/init", **HERE_ONLY).status_code == 204
        yield found
        assert found.post("/shutdown", **HERE_ONLY).status_code == 204
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0


def test_functions_are_those_of_the_module_that_is_here(line: Line):
    found = line.ask(FUNCTIONS, HERE_ONLY, hideCore=True)
    types = {each["name"]: each for each in found["data"]["currentTypeDefs"]}
    roots = {each["name"] for each in types["Query"]["asObject"]["functions"]}
    assert {"hello", "everyone", "card", "with", "greeter"} <= roots
    assert {"Greeter", "GreeterCard", "GreeterVolume", "String", "[String!]"} <= types.keys()


@pytest.mark.parametrize(("query", "answer"), ASKED, ids=[query for query, _ in ASKED])
def test_a_call_is_answered(line: Line, query: str, answer: dict[str, object]):
    assert line.ask(f"query Query {query}", HERE_ONLY) == {"data": answer}


def test_a_result_is_written_where_the_command_line_says(line: Line, tmp_path: Path):
    path = tmp_path / "a/card.txt"
    query = f'{{card(name:"x"){{file{{export(allowParentDirPath:true, path:{json.dumps(str(path))})}}}}}}'
    assert line.ask(query, HERE_ONLY) == {"data": {"card": {"file": {"export": str(path)}}}}
    assert path.read_text() == "Hello, x!\n"


def test_checks_are_listed_and_run(line: Line):
    ident = line.ask("{currentWorkspace{checks{id}}}", HERE_ONLY)["data"]["currentWorkspace"]["checks"]["id"]
    listed = line.ask(LISTED, HERE_ONLY, id=ident)["data"]["group"]["list"]
    assert [each["name"] for each in listed] == ["polite", "quick"]
    ran = line.ask(RUN, HERE_ONLY, id=ident)["data"]["group"]["run"]["list"]
    assert {each["name"]: each["passed"] for each in ran} == {"polite": True, "quick": False}


def test_an_exit_code_of_a_step_in_a_function_is_told(line: Line):
    error = line.ask("query Query {fail(code:7)}", HERE_ONLY)["errors"][0]
    assert error["extensions"]["_type"] == "EXEC_ERROR"
    assert error["extensions"]["exitCode"] == 7


def test_a_module_is_served_by_name_and_a_missing_one_is_named(folder: Path, tmp_path: Path):
    with session(tmp_path) as process:
        line = Line(process)
        assert "errors" in line.ask('{hello(name:"you")}', HERE_ONLY)
        gone = {"extra_modules": [{"ref": str(tmp_path / "gone"), "entrypoint": True}]}
        assert "gone" in line.ask("{version}", gone)["errors"][0]["message"]
        there = {"extra_modules": [{"ref": str(folder), "entrypoint": True}]}
        assert line.ask('{hello(name:"you")}', there) == {"data": {"hello": "Hello, you!"}}
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.mark.parametrize("broken", [{"extra_modules": 1}, {"extra_modules": [1, {}]}, {"load_workspace_modules": "no"}])
def test_metadata_that_make_no_sense_ask_for_nothing(line: Line, broken: dict[str, object]):
    assert line.ask("{version}", broken) == {"data": {"version": "v0.21.8"}}
