"""What a step writes: both streams read as they come, secrets masked, kept, and handed on line by line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from sealane_engine.secrets.scrub import Scrubber

ERROR_TAIL = 100 * 1024
MAX_KEPT = 64 * 1024 * 1024
READ_SIZE = 65_536


class Capture:
    """Two pipes. Give `stdout_fd` and `stderr_fd` to the command, call `started`, then `await finish()`."""

    def __init__(self, scrubber: Callable[[], Scrubber], on_text: Callable[[str, str], None]) -> None:
        self._on_text = on_text
        self._streams = {name: _Stream(name, scrubber(), self) for name in ("stdout", "stderr")}
        self.combined = bytearray()

    @property
    def stdout_fd(self) -> int:
        return self._streams["stdout"].write_fd

    @property
    def stderr_fd(self) -> int:
        return self._streams["stderr"].write_fd

    @property
    def stdout(self) -> bytes:
        return bytes(self._streams["stdout"].kept)

    @property
    def stderr(self) -> bytes:
        return bytes(self._streams["stderr"].kept)

    def started(self) -> None:
        """The command has its own copies of the descriptors now: close ours."""
        for stream in self._streams.values():
            stream.close_write()

    async def finish(self) -> None:
        """Until both streams have ended."""
        await asyncio.gather(*(stream.ended.wait() for stream in self._streams.values()))

    def close(self) -> None:
        for stream in self._streams.values():
            stream.close()

    def took(self, name: str, data: bytes, kept: bytearray) -> None:
        if len(kept) < MAX_KEPT:
            kept += data
            self.combined += data
            if len(kept) >= MAX_KEPT:
                kept += b"\n[the rest of this output was dropped]\n"
        self._on_text(name, data.decode(errors="replace"))


class _Stream:
    def __init__(self, name: str, scrubber: Scrubber, owner: Capture) -> None:
        self.name = name
        self.kept = bytearray()
        self.ended = asyncio.Event()
        self._scrubber = scrubber
        self._owner = owner
        self._read_fd, self.write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read_fd, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read_fd, self._readable)

    def close_write(self) -> None:
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def close(self) -> None:
        self.close_write()
        if self._read_fd >= 0:
            self._loop.remove_reader(self._read_fd)
            os.close(self._read_fd)
            self._read_fd = -1
        self.ended.set()

    def _readable(self) -> None:
        try:
            data = os.read(self._read_fd, READ_SIZE)
        except BlockingIOError:
            return
        text = self._scrubber.feed(data) if data else self._scrubber.flush()
        if text:
            self._owner.took(self.name, text, self.kept)
        if not data:
            self.close()


def for_error(output: bytes) -> str:
    """A stream as an exec error carries it: trimmed, and cut to its last 100 KiB as Dagger cuts it."""
    text = output.strip()
    if len(text) <= ERROR_TAIL:
        return text.decode(errors="replace")
    note = f"[omitting {len(text) - ERROR_TAIL} bytes]...".encode()
    return (note + text[len(text) - ERROR_TAIL + len(note) :]).decode(errors="replace")
