"""Ids as Dagger's clients decode them: base64 of a protobuf with one call: its type, field and digest.

    DAG { recipe = 1 { rootDigest = 1, callsByDigest = 2 { key = 1, value = 2 Call } } }
    Call { type = 2 { namedType = 1, nonNull = 3 }, field = 3, nth = 7, digest = 9 }

The digest is our own content address; who decodes an id never computes it anew. The call that it names is in the
session's `IdTable`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, NamedTuple

from sealane_engine.errors import InvalidInput
from sealane_engine.protocol.call import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealane_engine.protocol.call import Call

VARINT, LENGTH = 0, 2
SHOWN = 60


class Named(NamedTuple):
    """What an id says: the type of the object, and the digest of the call that makes it."""

    type: str
    digest: str


def encode(call: Call) -> str:
    """The id of the object that a call answers."""
    kind = packed(1, call.type.encode()) + number(3, 1)
    told = packed(2, kind) + packed(3, call.field.encode())
    if call.nth:
        told += number(7, call.nth)
    digest = call.digest.encode()
    told += packed(9, digest)
    recipe = packed(1, digest) + packed(2, packed(1, digest) + packed(2, told))
    return b64encode(packed(1, recipe)).decode()


def decode(text: str) -> Named:
    """Read an id; raises InvalidInput with reason `bad-id` if it is none, or none of this engine's kind."""
    try:
        dag = dict(fields(b64decode(text, validate=True)))
        recipe = list(fields(as_bytes(dag[1])))
        digest = next(as_bytes(value) for key, value in recipe if key == 1)
        for key, value in recipe:
            if key == 2:
                entry = dict(fields(as_bytes(value)))
                if entry.get(1) == digest:
                    call = dict(fields(as_bytes(entry[2])))
                    kind = dict(fields(as_bytes(call[2])))
                    return Named(as_bytes(kind[1]).decode(), digest.decode())
    except (Base64Error, ValueError, KeyError, IndexError, StopIteration):
        pass
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    raise InvalidInput(
        f"{shown!r} is not an id of this engine", reason="bad-id", hint="pass an id that a field `id` answered"
    )


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(key: int, value: int) -> bytes:
    return varint(key << 3 | VARINT) + varint(value)


def packed(key: int, value: bytes) -> bytes:
    return varint(key << 3 | LENGTH) + varint(len(value)) + value


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(value)


def fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a message; only varints and length-delimited ones occur in an id."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == VARINT:
            value, at = read_varint(data, at)
            yield tag >> 3, value
        elif tag & 7 == LENGTH:
            size, at = read_varint(data, at)
            if at + size > len(data):
                raise ValueError(size)
            yield tag >> 3, data[at : at + size]
            at += size
        else:
            raise ValueError(tag)


def as_bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ValueError(value)  # noqa: TRY004 - malformed data, told by `decode` as one kind of error
    return value


class IdTable:
    """Every call that an id was given out for; one per session, shared by all its clients, because ids travel in module state."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {ROOT.digest: ROOT}
        self._texts: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def encode(self, call: Call) -> str:
        """Give out the id of a call."""
        text = encode(call)
        self._texts[text] = self._calls.setdefault(call.digest, call)
        return text

    def add(self, call: Call) -> Call:
        """Make an id valid that an earlier session gave out; answers the call that is kept."""
        return self._calls.setdefault(call.digest, call)

    def load(self, text: str) -> Call:
        """The call that an id names; raises InvalidInput, reason `bad-id` or `unknown-id`."""
        known = self._texts.get(text)
        if known is not None:
            return known
        named = decode(text)
        call = self._calls.get(named.digest)
        if call is None:
            raise InvalidInput(
                f"{named.type}@{named.digest} is not known in this session",
                reason="unknown-id",
                hint="ids are valid in the session that gave them out: ask for a new one",
            )
        return call
