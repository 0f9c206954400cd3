"""What an object's id says about it: `Container@sha256:…`, as Dagger prints an object.

An id is base64 of a protobuf message: field 1 is a recipe {1: root digest, 2: calls by digest}, where a call's field 2
is its type {1: name, 2: element}; field 2 is a handle {1: number, 2: type}.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator


def shown(encoded: str) -> str:
    """`Type@digest` of an id; an id that isn't Dagger's is shown as it is."""
    try:
        message = dict(_fields(base64.b64decode(encoded, validate=True)))
        if 1 in message:
            return _recipe(message[1])
        handle = dict(_fields(message[2]))
        digest = hashlib.sha256(encoded.encode()).hexdigest()
        return f"{_type_name(handle[2])}@sha256:{digest}"
    except (binascii.Error, IndexError, KeyError, ValueError):
        return encoded


def _recipe(data: bytes) -> str:
    root = ""
    calls: dict[str, bytes] = {}
    for number, value in _fields(data):
        if number == 1:
            root = value.decode()
        elif number == 2:
            entry = dict(_fields(value))
            calls[entry[1].decode()] = entry[2]
    call = dict(_fields(calls[root]))
    return f"{_type_name(call[2])}@{root}"


def _type_name(data: bytes) -> str:
    fields = dict(_fields(data))
    return fields[1].decode() if 1 in fields else _type_name(fields[2])


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message, numbers as their varint's decimal text."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield number, str(value).encode()
        elif wire == 2:
            length, position = _varint(data, position)
            if position + length > len(data):
                raise ValueError("truncated message")
            yield number, data[position : position + length]
            position += length
        else:
            size = {1: 8, 5: 4}[wire]
            yield number, data[position : position + size]
            position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
