"""`sealane query`: documents from a file or standard input, variables, and what is wrong with them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(600)]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def query(environ: dict[str, str], modules: Path) -> Run:
    def run(document: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["sealane", "--silent", "query", *words]
        return subprocess.run(
            command, cwd=modules / "greeter", env=environ, input=document, capture_output=True, text=True, check=False
        )

    return run


def test_a_document_of_standard_input_may_call_the_module_that_is_there(query: Run):
    done = query("query A($n: String!) {greeter {hello(name: $n)}} query B {version}", "--var", "n=you", "A")
    assert json.loads(done.stdout) == {"greeter": {"hello": "Hello, you!"}}, done.stderr
    assert done.stdout.startswith('{\n    "greeter"')


def test_a_document_and_variables_may_be_of_other_kinds(query: Run, tmp_path: Path):
    (tmp_path / "q.graphql").write_text("query($p: [String!]!) {container {withExposedPort(port: 1) {id}} version}")
    done = query("", "--no-mod", "--doc", str(tmp_path / "q.graphql"), "--var-json", '{"p": ["a"]}')
    assert json.loads(done.stdout)["version"], done.stderr


@pytest.mark.parametrize(
    ("document", "words", "says"),
    [
        ("{version", ("-M",), "the document ends too early"),
        ("{version}", ("-M", "--var", "x"), "is not key=value"),
        ("{version}", ("-M", "--var-json", "{"), "is not JSON"),
        ("{version}", ("-M", "--doc", "/nowhere"), "No such file or directory"),
        ("{version}", ("-M", "a", "b"), "at most 1 arg"),
        ("{version}", ("-M", "--nope"), "unknown flag: --nope"),
        ("{nope}", ("-M",), "no field 'nope'"),
    ],
)
def test_what_is_wrong_is_said(query: Run, document: str, words: tuple[str, ...], says: str):
    done = query(document, *words)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
