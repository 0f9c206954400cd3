"""Rules for packets as netlink messages (nf_tables), so that no nft program is needed.

A rule is a list of expressions over registers; only the few that a router needs are here.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from sealane_engine.linux.netlink import NLM_F_CREATE, Message, attribute, nested

if TYPE_CHECKING:
    from ipaddress import IPv4Network

NETLINK_NETFILTER = 12
PREROUTING, INPUT, POSTROUTING = 0, 1, 4
_SUBSYSTEM = 10 << 8
_NEWTABLE, _NEWCHAIN, _NEWRULE = 0, 3, 6
_EQUAL, _DIFFERENT = 0, 1
_REGISTER, _SECOND = 1, 2


def _body(*parts: bytes) -> bytes:
    return struct.pack("=BBH", socket.AF_INET, 0, 0) + b"".join(parts)


def _number(value: int) -> bytes:
    """nf_tables counts in network order."""
    return struct.pack(">i", value)


def _expression(name: str, *parts: bytes) -> bytes:
    return nested(1, attribute(1, name), nested(2, *parts))


def _data(number: int, value: bytes) -> bytes:
    return nested(number, attribute(1, value))


def batch(*messages: Message) -> list[Message]:
    """nf_tables takes changes as a transaction only."""
    frame = struct.pack("=BB", 0, 0) + struct.pack(">H", 10)
    return [
        Message(16, 0, frame, "begin", acknowledged=False),
        *messages,
        Message(17, 0, frame, "commit", acknowledged=False),
    ]


def table(name: str) -> Message:
    return Message(_SUBSYSTEM | _NEWTABLE, NLM_F_CREATE, _body(attribute(1, name)), f"make table {name}")


def chain(table_name: str, name: str, kind: str, hook: int, *, priority: int) -> Message:
    """A base chain: `kind` is "nat" or "filter"."""
    where = nested(4, attribute(1, _number(hook)), attribute(2, _number(priority)))
    body = _body(attribute(1, table_name), attribute(3, name), where, attribute(7, kind))
    return Message(_SUBSYSTEM | _NEWCHAIN, NLM_F_CREATE, body, f"make chain {name}")


def rule(table_name: str, chain_name: str, *expressions: bytes) -> Message:
    body = _body(attribute(1, table_name), attribute(2, chain_name), nested(4, *expressions))
    return Message(_SUBSYSTEM | _NEWRULE, NLM_F_CREATE | 0x800, body, f"add a rule to {chain_name}")


def _compare(operation: int, value: bytes) -> bytes:
    return _expression("cmp", attribute(1, _number(_REGISTER)), attribute(2, _number(operation)), _data(3, value))


def _meta(key: int) -> bytes:
    return _expression("meta", attribute(2, _number(key)), attribute(1, _number(_REGISTER)))


def not_out_by(link: str) -> bytes:
    return _meta(7) + _compare(_DIFFERENT, link.encode().ljust(16, b"\0"))


def comes_in_by(link: str) -> bytes:
    return _meta(6) + _compare(_EQUAL, link.encode().ljust(16, b"\0"))


def is_tcp() -> bytes:
    return _meta(16) + _compare(_EQUAL, bytes([socket.IPPROTO_TCP]))


def _network(offset: int, network: IPv4Network, operation: int) -> bytes:
    load = _expression(
        "payload",
        attribute(1, _number(_REGISTER)),
        attribute(2, _number(1)),
        attribute(3, _number(offset)),
        attribute(4, _number(4)),
    )
    mask = _expression(
        "bitwise",
        attribute(1, _number(_REGISTER)),
        attribute(2, _number(_REGISTER)),
        attribute(3, _number(4)),
        _data(4, network.netmask.packed),
        _data(5, bytes(4)),
    )
    return load + mask + _compare(operation, network.network_address.packed)


def comes_from(network: IPv4Network) -> bytes:
    return _network(12, network, _EQUAL)


def not_to(network: IPv4Network) -> bytes:
    return _network(16, network, _DIFFERENT)


def drop() -> bytes:
    return _expression("immediate", attribute(1, _number(0)), nested(2, nested(2, attribute(1, _number(0)))))


def masquerade() -> bytes:
    return _expression("masq")


def redirect(port: int) -> bytes:
    """To a port of the router itself."""
    load = _expression("immediate", attribute(1, _number(_SECOND)), _data(2, struct.pack(">H", port)))
    return load + _expression("redir", attribute(1, _number(_SECOND)))
