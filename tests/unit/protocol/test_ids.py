"""Ids decode as Dagger's clients decode them, and nonsense is told apart from ids of another session."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.protocol.call import Call
from sealane_engine.protocol.ids import IdTable, decode, encode, fields

CALL = Call.make(None, "Container", "container", {"platform": "linux/amd64"})


def test_an_id_is_dagger_s_protobuf_with_one_call():
    (dag,) = fields(b64decode(encode(CALL)))
    assert dag[0] == 1  # recipe
    (root, calls) = fields(dag[1])
    assert root == (1, CALL.digest.encode())
    entry = dict(fields(calls[1]))
    assert entry[1] == CALL.digest.encode()
    call = dict(fields(entry[2]))
    assert dict(fields(call[2])) == {1: b"Container", 3: 1}
    assert (call[3], call[9]) == (b"container", CALL.digest.encode())


def test_elements_of_a_list_have_ids_of_their_own():
    assert encode(CALL.element(1)) != encode(CALL.element(2))
    assert decode(encode(CALL.element(300))).digest == CALL.element(300).digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "4",
        "aGVsbG8=",
        "////",
        "CgA=",
        b64encode(bytes(range(256))).decode(),
        encode(CALL)[:-8],
        "é",
        "A" * 100_000,
    ],
)
def test_nonsense_is_a_typed_error(text):
    with pytest.raises(InvalidInput) as caught:
        IdTable().load(text)
    assert caught.value.reason == "bad-id"
    assert len(str(caught.value)) < 250


def test_an_id_of_another_session_is_unknown_until_it_is_added():
    table = IdTable()
    with pytest.raises(InvalidInput) as caught:
        table.load(encode(CALL))
    assert caught.value.reason == "unknown-id"
    table.add(CALL)
    assert table.load(encode(CALL)) is CALL


def test_a_table_keeps_one_call_for_equal_ones():
    table = IdTable()
    twin = Call.make(None, "Container", "container", {"platform": "linux/amd64"})
    assert table.encode(CALL) == table.encode(twin)
    assert table.load(table.encode(twin)) is CALL
