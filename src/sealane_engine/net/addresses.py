"""Which addresses the steps of an engine get: one private subnet that the host doesn't use itself."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from sealane_engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable

_CANDIDATES = (
    *(IPv4Network((0x0A00_0000 | second << 16, 16)) for second in (87, 189, 211, 143, 57, 166, 233, 98)),
    IPv4Network("198.18.0.0/16"),
    IPv4Network("198.19.0.0/16"),
)


def choose_subnet(used: Iterable[IPv4Network], seen: Iterable[IPv4Address] = ()) -> IPv4Network:
    """The first candidate that overlaps none of the `used` networks and holds none of the addresses `seen` in settings.

    A route to everything (/0), or to a half or quarter of it as VPNs set them, says nothing about a subnet.
    """
    narrow = [network for network in used if network.prefixlen > 7]
    points = tuple(seen)
    for candidate in _CANDIDATES:
        if not any(candidate.overlaps(network) for network in narrow) and not any(p in candidate for p in points):
            return candidate
    raise EngineError(
        "every private subnet that steps could use is routed on this host",
        reason="no-free-subnet",
        hint="free one of " + ", ".join(str(candidate) for candidate in _CANDIDATES),
    )


class Addresses:
    """Addresses of one subnet; the first is the router's. One after the other, so that none is used again soon."""

    def __init__(self, subnet: IPv4Network) -> None:
        self.subnet = subnet
        self.gateway = subnet[1]
        self._taken: set[int] = set()
        self._next = 2

    def take(self) -> IPv4Address:
        last = self.subnet.num_addresses - 1  # the broadcast address
        for _ in range(last):
            number = self._next
            self._next = number + 1 if number + 1 < last else 2
            if number not in self._taken:
                self._taken.add(number)
                return self.subnet[number]
        raise EngineError("all addresses of the steps' network are in use", reason="no-free-address")

    def release(self, address: IPv4Address) -> None:
        self._taken.discard(self.number(address))

    def number(self, address: IPv4Address) -> int:
        """Place in the subnet."""
        return int(address) - int(self.subnet.network_address)

    def mac(self, address: IPv4Address) -> bytes:
        """Told by the address, so that nobody's neighbour table is wrong when an address is used again."""
        return b"\x02\x53" + address.packed
