"""The name forwarder: what it asks, answers and tells."""

import asyncio
import struct

import pytest

from sealane_engine.events import Events
from sealane_engine.net import lookups
from sealane_engine.net.lookups import Lookups, Question, Resolvers, answer
from sealane_engine.net.sockets import make_listener


def query(name, kind=1, number=7):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def test_resolv_conf_is_read_with_search_list_and_options():
    text = "# made\nnameserver 127.0.0.53 # stub\nsearch a.example b.example\noptions edns0 ndots:2\nnameserver fe80::1%lo\n"
    assert Resolvers.parse(text) == Resolvers(
        ("127.0.0.53", "fe80::1%lo"), ("a.example", "b.example"), ("edns0", "ndots:2")
    )


def test_no_resolver_means_the_local_one():
    assert Resolvers.parse("").servers == ("127.0.0.1",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 11,
        query("a.example")[:20],
        answer(query("a"), Question("a", 1, 19)),
        b"\0" * 12 + b"\xc0\x0c\0\1\0\1",
    ],
)
def test_what_is_no_question_is_not_answered(data):
    assert Question.parse(data) is None


def test_a_name_is_told_in_lower_case():
    found = Question.parse(query("Pack.example", 28))
    assert (found.name, found.type) == ("pack.example", 28)


class Upstream(asyncio.DatagramProtocol):
    def __init__(self, *, silent=False):
        self.asked = []
        self.silent = silent

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        self.asked.append(data)
        if not self.silent:
            self.transport.sendto(b"\xff\xff" + data[2:], peer)  # a forged one, with another number
            self.transport.sendto(data[:2] + b"\x81\x80" + data[4:] + b"ANSWER", peer)


async def ask(where, data):
    client = make_listener("127.0.0.1", 0, lookups.socket.SOCK_DGRAM)
    with client:
        loop = asyncio.get_running_loop()
        await loop.sock_sendto(client, data, where)
        return await asyncio.wait_for(loop.sock_recv(client, 4096), 5)


async def with_forwarder(tmp_path, monkeypatch, work, *, silent=False):
    loop = asyncio.get_running_loop()
    transport, upstream = await loop.create_datagram_endpoint(
        lambda: Upstream(silent=silent), local_addr=("127.0.0.1", 0)
    )
    monkeypatch.setattr(lookups, "PORT", transport.get_extra_info("sockname")[1])
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\n")
    events = Events()
    told = []
    events.listen(lambda event: told.append((event.kind, event.data["name"], event.data["type"])))
    udp, tcp = Lookups.sockets("127.0.0.1", 0)
    forwarder = Lookups(events, udp, tcp, conf)
    try:
        await work(udp.getsockname())
    finally:
        await forwarder.aclose()
        transport.close()
    return upstream, told


def test_a_question_goes_on_and_its_answer_comes_back_with_the_steps_number(tmp_path, monkeypatch):
    async def work(where):
        reply = await ask(where, query("mirror.example", number=4711))
        assert reply[:2] == struct.pack("!H", 4711)
        assert reply.endswith(b"ANSWER")

    upstream, told = asyncio.run(with_forwarder(tmp_path, monkeypatch, work))
    assert told == [("lookup", "mirror.example", "A")]
    assert upstream.asked[0][2:] == query("mirror.example")[2:]


def test_a_question_for_ipv6_is_answered_with_none_and_still_told(tmp_path, monkeypatch):
    async def work(where):
        reply = await ask(where, query("pack.example", 28))
        assert struct.unpack_from("!HHHHHH", reply)[2:] == (1, 0, 0, 0)
        assert reply[3] & 0xF == 0

    upstream, told = asyncio.run(with_forwarder(tmp_path, monkeypatch, work))
    assert told == [("lookup", "pack.example", "AAAA")]
    assert upstream.asked == []


def test_a_silent_resolver_becomes_a_server_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(lookups, "_ATTEMPT_SECONDS", 0.2)

    async def work(where):
        reply = await ask(where, query("pack.example"))
        assert reply[3] & 0xF == 2

    upstream, _told = asyncio.run(with_forwarder(tmp_path, monkeypatch, work, silent=True))
    assert len(upstream.asked) == 2
