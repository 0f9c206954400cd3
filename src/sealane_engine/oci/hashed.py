"""A file that comes over the network: written and hashed in a thread, a megabyte at a time, while the next one arrives."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, BinaryIO, Self

if TYPE_CHECKING:
    from types import TracebackType

BATCH_BYTES = 1 << 20


class HashedFile:
    """Adds pieces to the new, seekable file `sink`. At most two batches are in memory. On leaving, no thread uses it."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()
        self.count = 0
        """Bytes that came."""
        self._batch = bytearray()
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            await asyncio.wait({self._writing})
            self._writing.exception()  # seen: what ends this block is told

    async def add(self, piece: bytes) -> None:
        """Take a piece; waits when the disk is slower than the network."""
        self.count += len(piece)
        self._batch += piece
        if len(self._batch) >= BATCH_BYTES:
            await self._flush()

    async def restart(self) -> None:
        """Forget all that came."""
        await self._written()
        self._sink.seek(0)
        self._sink.truncate()
        self._hash, self.count, self._batch = hashlib.sha256(), 0, bytearray()

    async def digest(self) -> str:
        """Answers "sha256:…" of all that came, which is then in the file."""
        await self._flush()
        await self._written()
        return f"sha256:{self._hash.hexdigest()}"

    async def _flush(self) -> None:
        batch, self._batch = self._batch, bytearray()
        await self._written()
        self._writing = asyncio.create_task(asyncio.to_thread(self._write, batch))

    async def _written(self) -> None:
        if self._writing is not None:
            # shielded: a thread can't be cancelled, and it must end before the file is closed
            await asyncio.shield(self._writing)
            self._writing = None

    def _write(self, batch: bytearray) -> None:
        self._hash.update(batch)
        self._sink.write(batch)
