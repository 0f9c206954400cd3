"""Room on the disk: nothing is touched while there is some, the oldest goes when there is not, a reserve stays."""

from __future__ import annotations

import shutil

from sealane_engine.store.space import Room, make_room
from sealane_engine.store.store import Store

from .test_store import IDS, a_layer

EVERYTHING = 1 << 60  # free bytes that no disk has


def filled(home):
    for key in "abc":
        with Store.open(home, IDS) as store:
            store.put_result(key, "step", 1, layers=[a_layer(store, text="x" * 100_000)])


def kept(home):
    with Store.open(home, IDS) as store:
        return sorted(found.key for found in store.results())


def test_with_room_on_the_disk_nothing_goes(home):
    filled(home)
    with Store.open(home, IDS) as store:
        assert make_room(store, Room(min_free=0, reserved=0)) is None
    assert kept(home) == ["a", "b", "c"]


def test_without_room_the_oldest_go_until_there_is(home):
    filled(home)
    with Store.open(home, IDS) as store:
        short = Room(min_free=shutil.disk_usage(home).free + 100_000_000, reserved=250_000)
        assert make_room(store, short).results == 1
    assert kept(home) == ["b", "c"]


def test_a_store_that_is_no_larger_than_its_reserve_is_left_alone(home):
    filled(home)
    with Store.open(home, IDS) as store:
        assert make_room(store, Room(min_free=EVERYTHING, reserved=EVERYTHING)) is None
    assert kept(home) == ["a", "b", "c"]


def test_without_a_reserve_all_may_go(home):
    filled(home)
    with Store.open(home, IDS) as store:
        assert make_room(store, Room(min_free=EVERYTHING, reserved=0)).results == 3
    assert kept(home) == []


def test_the_limits_are_shares_of_a_small_disk(home):
    home.mkdir()
    room, total = Room.on(home), shutil.disk_usage(home).total
    assert 0 < room.min_free <= total // 10
    assert 0 < room.reserved <= room.min_free
