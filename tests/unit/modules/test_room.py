"""A module's process is waited for until it has answered, not until it has ended."""

from __future__ import annotations

import asyncio

import pytest

from sealane_engine.modules.room import Modules


def test_an_answer_is_enough_and_the_process_is_ended_with_the_engine():
    async def main():
        modules, answered, ended = Modules(), asyncio.Event(), []

        async def process():
            answered.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        assert await modules.until(answered, process()) is None
        assert not ended
        await modules.aclose()
        assert ended

    asyncio.run(main())


def test_a_process_that_ends_without_an_answer_says_how():
    async def process():
        return 3, "", "why"

    async def main():
        return await Modules().until(asyncio.Event(), process())

    assert asyncio.run(main()) == (3, "", "why")


def test_a_process_that_cannot_run_raises_and_one_that_fails_after_its_answer_does_not():
    async def main():
        modules, answered = Modules(), asyncio.Event()

        async def breaks():
            raise OSError("no sandbox")

        with pytest.raises(OSError, match="no sandbox"):
            await modules.until(asyncio.Event(), breaks())

        async def late():
            answered.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            raise OSError("late")

        assert await modules.until(answered, late()) is None
        await modules.aclose()

    asyncio.run(main())


def test_a_canceled_call_ends_its_process():
    async def main():
        modules, started, ended = Modules(), asyncio.Event(), []

        async def process():
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        call = asyncio.create_task(modules.until(asyncio.Event(), process()))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert ended

    asyncio.run(main())
