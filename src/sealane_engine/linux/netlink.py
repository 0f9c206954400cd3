"""Netlink messages by hand: pack attributes, send a batch, collect its acknowledgements.

pyroute2 does this too, but takes longer to import than a step takes to run; a step's network is six messages.
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLMSG_ERROR = 2
NLMSG_DONE = 3

_NESTED = 0x8000
_SOL_NETLINK = 270
_CAP_ACK = 10  # an error does not repeat the request
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


@dataclass(frozen=True, slots=True)
class Message:
    """One request: its type, extra flags, and what follows the netlink header. `what` names it in an error."""

    type: int
    flags: int
    payload: bytes
    what: str
    acknowledged: bool = True


def attribute(number: int, value: bytes | int | str) -> bytes:
    """One attribute, padded. An int is 32 bits in host order; a str ends with a zero byte."""
    if isinstance(value, int):
        value = struct.pack("=I", value)
    elif isinstance(value, str):
        value = value.encode() + b"\0"
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, number) + value + b"\0" * (-length % 4)


def nested(number: int, *parts: bytes) -> bytes:
    return attribute(number | _NESTED, b"".join(parts))


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and value of each attribute in `data`."""
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, number = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield number & 0x3FFF, data[at + _ATTRIBUTE.size : at + length]
        at += length + (-length % 4)


class Netlink:
    """A netlink socket. It belongs to the network namespace of the thread that makes it, whoever uses it later."""

    def __init__(self, family: int, *, groups: int = 0) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        self.socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        self.socket.bind((0, groups))
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, messages: Sequence[Message]) -> None:
        """Send all in one system call and wait for every acknowledgement; raises OSError for the first that failed."""
        expected: dict[int, str] = {}
        parts = []
        for message in messages:
            packed = self._pack(message, NLM_F_ACK if message.acknowledged else 0)
            if message.acknowledged:
                expected[self._sequence] = message.what
            parts.append(packed)
        self.socket.send(b"".join(parts))
        failed: OSError | None = None
        while expected:
            for kind, sequence, payload in split(self.socket.recv(65_536)):
                what = expected.pop(sequence, None)
                if what is None or kind != NLMSG_ERROR:
                    continue
                number = -struct.unpack_from("=i", payload)[0]
                if number and failed is None:
                    failed = OSError(number, f"{what}: {os.strerror(number)}")
        if failed is not None:
            raise failed

    def dump(self, kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        """Type and payload of every object of one kind."""
        self.socket.send(self._pack(Message(kind, NLM_F_DUMP, payload, "dump"), 0))
        found: list[tuple[int, bytes]] = []
        while True:
            for answer, sequence, body in split(self.socket.recv(262_144)):
                if sequence != self._sequence:
                    continue
                if answer == NLMSG_DONE:
                    return found
                if answer == NLMSG_ERROR:
                    number = -struct.unpack_from("=i", body)[0]
                    raise OSError(number, f"netlink dump: {os.strerror(number)}")
                found.append((answer, body))

    def _pack(self, message: Message, flags: int) -> bytes:
        self._sequence += 1
        length = _HEADER.size + len(message.payload)
        header = _HEADER.pack(length, message.type, message.flags | NLM_F_REQUEST | flags, self._sequence, 0)
        return header + message.payload + b"\0" * (-length % 4)


def split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence number and payload of each message."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _flags, sequence, _port = _HEADER.unpack_from(data, at)
        yield kind, sequence, data[at + _HEADER.size : at + length]
        at += length + (-length % 4)
