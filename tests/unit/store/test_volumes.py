"""Cache volumes: who shares, who waits, what a dead holder leaves."""

import asyncio
import subprocess
import sys

import pytest

HOLD = """
import sys, fcntl
lock = open(sys.argv[1], "a")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder():
    """holder(volume): another process that holds it."""
    running = []

    def hold(volume):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, volume.lock_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        running.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in running:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_the_same_key_is_the_same_place(store):
    assert store.volume("n", "k") == store.volume("n", "k")
    assert store.volume("n", "k").path.is_dir()


def test_namespaces_and_keys_do_not_mix(store):
    assert len({store.volume(*each).name for each in (("a", "bc"), ("ab", "c"), ("", "abc"), ("b", "k"))}) == 4


@pytest.mark.parametrize("key", ["../../x", "/etc", "a/b", "", "\0", "x" * 5000])
def test_a_key_is_never_a_path(store, home, key):
    volume = store.volume("n", key)
    assert volume.path.parent.parent == home / "v"


def test_locked_volumes_serialise(store):
    volume = store.volume("n", "k")
    inside = []

    async def use(number):
        async with store.lock_volume(volume):
            inside.append(number)
            await asyncio.sleep(0)
            assert inside == [number]
            inside.clear()

    async def main():
        await asyncio.gather(*(use(number) for number in range(5)))

    asyncio.run(main())


def test_a_killed_holder_frees_the_lock(store, holder):
    volume = store.volume("n", "k")
    process = holder(volume)

    async def main():
        async def use():
            async with store.lock_volume(volume):
                return "mine"

        task = asyncio.create_task(use())
        done, _ = await asyncio.wait([task], timeout=0.3)
        assert not done
        process.kill()
        assert await asyncio.wait_for(task, 10) == "mine"

    asyncio.run(main())


def test_waiting_can_be_cancelled_and_leaves_no_lock(store, holder):
    volume = store.volume("n", "k")
    process = holder(volume)

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), store.lock_volume(volume):
                pytest.fail("got a lock that is held")
        process.kill()
        process.wait()
        async with asyncio.timeout(10), store.lock_volume(volume):
            pass

    asyncio.run(main())


def test_private_volumes_are_different_and_used_again(store):
    with store.private_volume("n", "k") as first, store.private_volume("n", "k") as second:
        assert first.path != second.path
        (first.path / "warm").touch()
    with store.private_volume("n", "k") as again:
        assert again == first
        assert (again.path / "warm").exists()
