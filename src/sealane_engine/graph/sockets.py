"""Unix sockets of the client's machine in a step: a socket in the store, whose connections the engine passes on.

The client's own socket never comes into a sandbox: its owner and mode stay as they are, and with the step its way ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealane_engine.store.store import Store

NAME = "socket"
PIECE = 1 << 16


async def pass_on(store: Store, path: str, uid: int, gid: int, stack: AsyncExitStack) -> str:
    """Listen on a new socket that the step's user may connect to; answers where it is in the store."""
    staging = await asyncio.to_thread(store.staging)
    stack.callback(staging.discard)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    folder = os.open(staging.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listening.bind(f"/proc/self/fd/{folder}/{NAME}")  # a store's path may be longer than an address
    finally:
        os.close(folder)
    place = staging.path / NAME
    os.chown(place, store.ids.outer(uid), store.ids.outer(gid))
    os.chmod(place, 0o600)
    relays: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        relays.add(task)
        task.add_done_callback(relays.discard)
        await _relay(path, reader, writer)

    server = await asyncio.start_unix_server(connected, sock=listening)

    async def close() -> None:
        server.close()
        for relay in tuple(relays):
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    stack.push_async_callback(close)
    return f"{staging.rel}/{NAME}"


async def _relay(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on both ways, until both have said all; nobody at the other end closes the connection."""
    with contextlib.suppress(OSError):
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(path)
            try:
                await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
            finally:
                far_writer.close()
        finally:
            writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(PIECE):
        sink.write(piece)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()
