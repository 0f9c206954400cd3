"""Carrying connections."""

import asyncio
import socket

import pytest

from sealane_engine.net.proxy import Acceptor
from sealane_engine.net.sockets import make_listener, make_socket


async def tunnel_to(port):
    listener = make_listener("127.0.0.1", 0)

    async def connect(_connection):
        made = make_socket(socket.SOCK_STREAM)
        try:
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
        except BaseException:
            made.close()
            raise
        return made

    return listener.getsockname()[1], Acceptor(listener, connect)


async def serve(reader, writer):
    data = await reader.read()  # until the client has said all
    writer.write(data[::-1])
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_a_half_closed_connection_still_gets_its_answer():
    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port, acceptor = await tunnel_to(server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = bytes(range(256)) * 5000
        writer.write(sent)
        writer.write_eof()
        assert await reader.read() == sent[::-1]
        writer.close()
        await writer.wait_closed()
        await acceptor.aclose()
        server.close()

    asyncio.run(main())


def test_nobody_behind_the_tunnel_is_an_error_not_an_end():
    async def main():
        with make_listener("127.0.0.1", 0) as free:
            nobody = free.getsockname()[1]
        port, acceptor = await tunnel_to(nobody)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        await acceptor.aclose()

    asyncio.run(main())


async def echo(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
    writer.close()
    await writer.wait_closed()


def test_closing_ends_what_is_carried():
    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port, acceptor = await tunnel_to(server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        await acceptor.aclose()
        assert await reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    asyncio.run(main())
