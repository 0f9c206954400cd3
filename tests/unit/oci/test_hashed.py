"""A file that is written and hashed in a thread while it comes."""

import asyncio
import hashlib
import io

import pytest

from sealane_engine.oci.hashed import BATCH_BYTES, HashedFile

PIECE = bytes(range(256)) * 256


def test_what_comes_is_in_the_file_and_its_digest_is_known():
    async def main():
        sink = io.BytesIO()
        async with HashedFile(sink) as file:
            for _ in range(50):
                await file.add(PIECE)
            digest = await file.digest()
        assert sink.getvalue() == PIECE * 50
        assert file.count == len(PIECE) * 50
        assert digest == f"sha256:{hashlib.sha256(PIECE * 50).hexdigest()}"

    asyncio.run(main())


def test_what_came_before_a_restart_is_forgotten():
    async def main():
        sink = io.BytesIO()
        async with HashedFile(sink) as file:
            for _ in range(40):
                await file.add(PIECE)
            await file.restart()
            assert file.count == 0
            await file.add(b"other")
            assert await file.digest() == f"sha256:{hashlib.sha256(b'other').hexdigest()}"
        assert sink.getvalue() == b"other"

    asyncio.run(main())


class Full(io.BytesIO):
    def write(self, _):
        raise OSError(28, "No space left on device")


def test_a_full_disk_ends_the_download():
    async def main():
        async with HashedFile(Full()) as file:
            for _ in range(3 * BATCH_BYTES // len(PIECE)):
                await file.add(PIECE)

    with pytest.raises(OSError, match="No space"):
        asyncio.run(main())


class Slow(io.BytesIO):
    """Takes its time to write; closed meanwhile, it would say so."""

    def __init__(self, go):
        super().__init__()
        self.go, self.written = go, 0

    def write(self, data):
        asyncio.run_coroutine_threadsafe(self.go.wait(), self.loop).result(10)
        self.written += super().write(data)
        return self.written


def test_who_is_cancelled_leaves_when_no_thread_uses_the_file_any_more():
    async def main():
        go = asyncio.Event()
        sink = Slow(go)
        sink.loop = asyncio.get_running_loop()
        began = asyncio.Event()

        async def download():
            async with HashedFile(sink) as file:
                for _ in range(BATCH_BYTES // len(PIECE)):
                    await file.add(PIECE)
                began.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(download())
        await began.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sink.written == BATCH_BYTES

    asyncio.run(main())
