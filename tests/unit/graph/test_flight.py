"""Identical work in flight runs once; cancelling one asker is not felt by the others."""

from __future__ import annotations

import asyncio

import pytest

from sealane_engine.graph.flight import Flight


def test_joins_askers_of_the_same_key() -> None:
    async def main() -> None:
        flight: Flight[int] = Flight()
        runs = 0
        go = asyncio.Event()

        async def work() -> int:
            nonlocal runs
            runs += 1
            await go.wait()
            return 7

        askers = [asyncio.create_task(flight.do("k", work)) for _ in range(5)]
        await asyncio.sleep(0)
        go.set()
        assert await asyncio.gather(*askers) == [7] * 5
        assert runs == 1
        assert "k" not in flight

    asyncio.run(main())


def test_one_cancelled_asker_does_not_cancel_the_work() -> None:
    async def main() -> None:
        flight: Flight[str] = Flight()
        go = asyncio.Event()

        async def work() -> str:
            await go.wait()
            return "done"

        first = asyncio.create_task(flight.do("k", work))
        second = asyncio.create_task(flight.do("k", work))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go.set()
        assert await second == "done"

    asyncio.run(main())


def test_the_last_cancelled_asker_cancels_the_work() -> None:
    async def main() -> None:
        flight: Flight[None] = Flight()
        cancelled = asyncio.Event()
        running = asyncio.Event()

        async def work() -> None:
            running.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        asker = asyncio.create_task(flight.do("k", work))
        await running.wait()
        asker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asker
        await asyncio.wait_for(cancelled.wait(), 1)
        assert "k" not in flight

    asyncio.run(main())


def test_every_asker_gets_the_error_and_the_next_one_tries_again() -> None:
    async def main() -> None:
        flight: Flight[int] = Flight()
        results: list[int | Exception] = [ValueError("no"), 3]

        async def work() -> int:
            await asyncio.sleep(0)
            result = results.pop(0)
            if isinstance(result, Exception):
                raise result
            return result

        outcomes = await asyncio.gather(flight.do("k", work), flight.do("k", work), return_exceptions=True)
        assert [type(each) for each in outcomes] == [ValueError, ValueError]
        assert await flight.do("k", work) == 3

    asyncio.run(main())
