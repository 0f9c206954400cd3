"""Documents that nobody means well with: each gets an error that says why, and the session goes on."""

from __future__ import annotations

import json
import random

import pytest

from .conftest import Connect

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(300)]
DEEP = 20_000

CASES = {
    "an empty document": "",
    "no document at all": "}{",
    "open for ever": "{container" * DEEP,
    "nested without end": "{container" + "{from" * DEEP + "}" * DEEP + "}",
    "a field that is nowhere": "{containr {id}}",
    "a wrong type": '{container {withExec(args: "x") {stdout}}}',
    "a number that is too large": "{directory {withNewFile(path: 1e400, contents: 2) {id}}}",
    "an argument that is missing": "{container {from {id}}}",
    "an argument that is unknown": '{container {from(adress: "x") {id}}}',
    "an id of nothing": '{node(id: "bm90aGluZw==") {id}}',
    "an id that is no base64": '{loadContainerFromID(id: "%%%") {stdout}}',
    "an id of another type": "",  # made in the test
    "a circle of fragments": "query {...A} fragment A on Query {...B} fragment B on Query {...A}",
    "a variable that is unknown": "{container {from(address: $x) {id}}}",
    "a mutation": "mutation {container {id}}",
    "a selection on a leaf": "{version {id}}",
    "no selection on an object": "{container}",
    "two operations without a name": "query A {version} query B {version}",
    "a platform that leads out": '{container(platform: "linux/amd64/../..") {from(address: "debian:bookworm-slim") {id stdout}}}',
    "an alias for two fields": "{a: version a: defaultPlatform}",
    "ten megabytes of nothing": "{version " + " " * 10_000_000 + "nope}",
    "two hundred thousand aliases": "{" + " ".join(f"a{number}: version" for number in range(200_000)) + "}",
}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_document_gets_an_error_and_the_session_goes_on(connect: Connect, name: str):
    document = CASES[name]
    if name == "an id of another type":
        ident = connect().ask("{directory {id}}")["data"]["directory"]["id"]
        document = f'{{loadContainerFromID(id: "{ident}") {{stdout}}}}'
    answer = connect().ask(document)
    assert answer["errors"], name
    assert all(error["message"] for error in answer["errors"])
    assert "Traceback" not in json.dumps(answer)
    assert connect().ask("{version}")["data"]["version"]


def test_documents_of_chance_are_answered(connect: Connect):
    """Pieces of real documents, shuffled by a fixed seed: an answer or an error, never silence."""
    pieces = [
        "{",
        "}",
        "(",
        ")",
        "container",
        "from",
        'address: "debian:bookworm-slim"',
        "withExec",
        "args:",
        '["true"]',
    ]
    pieces += [
        "stdout",
        "id",
        "directory",
        "...",
        "on Container",
        "$x",
        "query",
        ":",
        "[",
        "]",
        '"',
        "1e9",
        "null",
        "@skip(if: true)",
    ]
    chance = random.Random(20)
    raw = connect()
    for _ in range(300):
        document = " ".join(chance.choices(pieces, k=chance.randrange(1, 30)))
        answer = raw.ask(document)
        assert "data" in answer or answer["errors"], document
    assert raw.ask("{version}")["data"]["version"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"query": 1}', b'{"query": "{version}", "variables": 3}', b"\xff\xfe"]
)
def test_a_body_that_is_no_request_gets_an_error_in_json(connect: Connect, body: bytes):
    raw = connect()
    raw.send_bytes(body)
    assert raw.answer()["errors"]
