"""Links, addresses and routes as netlink messages (rtnetlink)."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from sealane_engine.linux.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Message,
    Netlink,
    attribute,
    attributes,
    nested,
)

GROUP_IPV4_ADDRESS, GROUP_IPV4_ROUTE = 0x10, 0x40
NEWROUTE = 24

_NEWLINK, _DELLINK, _SETLINK, _NEWADDR, _GETADDR, _GETROUTE = 16, 17, 19, 20, 22, 26
_UP = 0x1
_AF_SPEC, _LINKINFO, _NET_NS_FD = 26, 18, 28
_UNREACHABLE = 7
_LINK = struct.Struct("=BxHiII")
_ADDR = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")


def _link(*parts: bytes, index: int = 0, up: bool = False) -> bytes:
    flag = _UP if up else 0
    return _LINK.pack(socket.AF_UNSPEC, 0, index, flag, flag) + b"".join(parts)


def _name(name: str) -> bytes:
    return attribute(3, name)


def bridge(name: str, mac: bytes, mtu: int) -> Message:
    """A new bridge, without spanning tree: a port forwards at once."""
    body = _link(_name(name), attribute(1, mac), attribute(4, mtu), nested(_LINKINFO, attribute(1, "bridge")))
    return Message(_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"make bridge {name}")


def veth(name: str, master: int, netns: int, peer_mac: bytes, mtu: int) -> Message:
    """A new pair: `name` is up and a port of the bridge `master`, its peer `eth0` is in the namespace of descriptor `netns`."""
    other = _link(_name("eth0"), attribute(1, peer_mac), attribute(4, mtu), attribute(_NET_NS_FD, netns))
    info = nested(_LINKINFO, attribute(1, "veth"), nested(2, nested(1, other)))
    body = _link(_name(name), attribute(4, mtu), attribute(10, master), info, up=True)
    return Message(_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"make link {name}")


def delete(name: str) -> Message:
    return Message(_DELLINK, 0, _link(_name(name)), f"delete link {name}")


def up(index: int) -> Message:
    return Message(_SETLINK, 0, _link(index=index, up=True), f"bring up link {index}")


def no_ipv6(index: int) -> Message:
    """No link-local IPv6 address of its own. Before the link is up, or it has one already."""
    spec = nested(_AF_SPEC, nested(socket.AF_INET6, attribute(8, b"\x01")))
    return Message(_SETLINK, 0, _link(spec, index=index), f"switch off IPv6 on link {index}")


def forwarding(index: int) -> Message:
    """IPv4 packets that come in here are forwarded. The per-link setting: needs no writable /proc/sys."""
    spec = nested(_AF_SPEC, nested(socket.AF_INET, nested(1, attribute(1, 1))))
    return Message(_SETLINK, 0, _link(spec, index=index), f"forward packets of link {index}")


def address(index: int, interface: IPv4Interface) -> Message:
    body = _ADDR.pack(socket.AF_INET, interface.network.prefixlen, 0, 0, index)
    body += attribute(2, interface.ip.packed) + attribute(1, interface.ip.packed)
    if interface.network.prefixlen < 31:
        body += attribute(4, interface.network.broadcast_address.packed)
    return Message(_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body, f"add address {interface}")


def remove_address(index: int, interface: IPv4Interface) -> Message:
    body = _ADDR.pack(socket.AF_INET, interface.network.prefixlen, 0, 0, index) + attribute(2, interface.ip.packed)
    return Message(21, 0, body, f"remove address {interface}")


def default_route(gateway: IPv4Address) -> Message:
    body = _ROUTE.pack(socket.AF_INET, 0, 0, 0, 254, 4, 0, 1, 0) + attribute(5, gateway.packed)
    return Message(NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body, f"default route by {gateway}")


def unreachable(network: IPv4Network) -> Message:
    """Packets to `network` are answered with "host unreachable"."""
    body = _ROUTE.pack(socket.AF_INET, network.prefixlen, 0, 0, 254, 4, 0, _UNREACHABLE, 0)
    body += attribute(1, network.network_address.packed)
    return Message(NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body, f"refuse {network}")


def addresses(netlink: Netlink) -> list[IPv4Interface]:
    """The IPv4 addresses of the socket's namespace."""
    found = []
    for _kind, body in netlink.dump(_GETADDR, _ADDR.pack(socket.AF_INET, 0, 0, 0, 0)):
        prefix = _ADDR.unpack_from(body)[1]
        values = dict(attributes(body[_ADDR.size :]))
        local = values.get(2) or values.get(1)
        if local is not None:
            found.append(IPv4Interface((local, prefix)))
    return found


def routes(netlink: Netlink) -> list[tuple[IPv4Network, int]]:
    """Destination and outgoing link index (0: none) of every IPv4 route of the socket's namespace, all tables."""
    body = _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
    return [route for _kind, answer in netlink.dump(_GETROUTE, body) if (route := parse_route(answer)) is not None]


def parse_route(body: bytes) -> tuple[IPv4Network, int] | None:
    family, prefix = body[0], body[1]
    if family != socket.AF_INET:
        return None
    values = dict(attributes(body[_ROUTE.size :]))
    destination = values.get(1, b"\0\0\0\0")
    link = struct.unpack("=I", values[4])[0] if 4 in values else 0
    return IPv4Network((destination, prefix), strict=False), link
