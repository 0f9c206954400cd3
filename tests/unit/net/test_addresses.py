"""The steps' subnet and its addresses."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from sealane_engine.errors import EngineError
from sealane_engine.net.addresses import Addresses, choose_subnet


def test_a_subnet_that_the_host_routes_is_not_chosen():
    first = choose_subnet([])
    second = choose_subnet([IPv4Network((int(first.network_address) + 256, 24))])
    assert not first.overlaps(second)


def test_a_subnet_that_holds_the_hosts_resolver_is_not_chosen():
    first = choose_subnet([])
    assert choose_subnet([], [first[7]]) != first


def test_default_routes_and_their_halves_rule_nothing_out():
    wide = [IPv4Network("0.0.0.0/0"), IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1")]
    assert choose_subnet(wide) == choose_subnet([])


def test_a_host_that_routes_everything_private_gets_an_error():
    with pytest.raises(EngineError) as caught:
        choose_subnet([IPv4Network("10.0.0.0/8"), IPv4Network("198.18.0.0/15")])
    assert caught.value.reason == "no-free-subnet"


def test_addresses_are_not_used_again_soon():
    pool = Addresses(IPv4Network("10.1.0.0/28"))
    first = pool.take()
    pool.release(first)
    assert pool.take() != first


def test_the_routers_and_the_broadcast_address_are_never_given_out():
    pool = Addresses(IPv4Network("10.1.0.0/29"))
    taken = {pool.take() for _ in range(5)}
    assert taken == {IPv4Address(f"10.1.0.{n}") for n in range(2, 7)}
    with pytest.raises(EngineError) as caught:
        pool.take()
    assert caught.value.reason == "no-free-address"
    pool.release(IPv4Address("10.1.0.4"))
    assert pool.take() == IPv4Address("10.1.0.4")


def test_an_address_always_has_the_same_mac():
    pool = Addresses(IPv4Network("10.1.0.0/16"))
    assert pool.mac(IPv4Address("10.1.2.3")) == bytes([2, 0x53, 10, 1, 2, 3])
