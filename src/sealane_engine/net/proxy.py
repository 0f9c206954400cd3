"""Carry bytes between two sockets until both directions have ended; accept connections and carry each."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable

Connect = Callable[[socket.socket], Awaitable[socket.socket]]
"""Given an accepted connection, the connection to carry it to. Raises OSError when there is none."""

_CHUNK = 262_144


async def carry(one: socket.socket, other: socket.socket) -> None:
    """Both ways, half-closes included. An error on one side resets the other. Closes both."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(one, other))
            group.create_task(_pump(other, one))
    except* OSError:
        reset(one)
        reset(other)
    finally:
        one.close()
        other.close()


def reset(connection: socket.socket) -> None:
    """Close so that the peer sees an error, not an end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


async def _pump(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    while count := await loop.sock_recv_into(source, buffer):
        await loop.sock_sendall(sink, view[:count])
    sink.shutdown(socket.SHUT_WR)


class Acceptor:
    """Accepts on one listening socket and carries every connection to where `connect` leads."""

    def __init__(self, listener: socket.socket, connect: Connect) -> None:
        self._listener = listener
        self._connect = connect
        self._carrying: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    async def aclose(self) -> None:
        tasks = (self._accepting, *self._carrying)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _peer = await loop.sock_accept(self._listener)
            except ConnectionError:
                continue  # gave up before it was accepted
            task = asyncio.create_task(self._serve(connection))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _serve(self, connection: socket.socket) -> None:
        try:
            other = await self._connect(connection)
        except OSError:
            reset(connection)
            return
        except BaseException:
            connection.close()
            raise
        await carry(connection, other)
