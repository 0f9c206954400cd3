"""A forwarder of name look-ups that writes down every name it is asked for."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESS = "127.77.77.53"


def upstream() -> str:
    """The first name server of this machine."""
    lines = (line.split() for line in Path("/etc/resolv.conf").read_text().splitlines())
    return next(words[1] for words in lines if words[:1] == ["nameserver"])


def name_of(query: bytes) -> str:
    """The name a DNS query asks for."""
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    return ".".join(labels).lower()


@contextmanager
def recorded() -> Iterator[set[str]]:
    """A name server at ADDRESS for as long as the block runs; the names it was asked for."""
    names: set[str] = set()
    server = upstream()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.create_server((ADDRESS, 53)) as stream,
    ):
        datagrams.bind((ADDRESS, 53))
        for serve in (_datagrams, _streams):
            threading.Thread(
                target=serve, args=(datagrams if serve is _datagrams else stream, server, names), daemon=True
            ).start()
        yield names
        stream.shutdown(socket.SHUT_RDWR)
        datagrams.sendto(b"", (ADDRESS, 53))  # wakes the thread, which ends on an empty query


def _datagrams(listener: socket.socket, server: str, names: set[str]) -> None:
    while True:
        query, client = listener.recvfrom(4096)
        if not query:
            return
        names.add(name_of(query))
        threading.Thread(target=_forward, args=(listener, query, client, server), daemon=True).start()


def _forward(listener: socket.socket, query: bytes, client: tuple[str, int], server: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(5)
        try:
            out.sendto(query, (server, 53))
            listener.sendto(out.recv(4096), client)
        except OSError:
            return  # the client asks again


def _streams(listener: socket.socket, server: str, names: set[str]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, socket.create_connection((server, 53), timeout=5) as out:
            size = connection.recv(2)
            query = connection.recv(struct.unpack(">H", size)[0])
            names.add(name_of(query))
            out.sendall(size + query)
            connection.sendall(out.recv(65_537))
