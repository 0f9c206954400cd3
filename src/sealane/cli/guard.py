"""Stands between what a run prints and its CI vendor: all of it, children's too, goes through `vendors.neutral`."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from types import TracebackType
from typing import Self

from sealane.vendors.neutral import Neutral

_PIECE = 1 << 16


class Guard:
    """While it is entered, file descriptors 1 and 2 are one pipe, whose text comes out on 1, neutral and in whole lines.

    `say` prints what is meant to be read by the vendor, after all that was printed before it. The place in the stream
    is told by a mark that nobody can guess; it ends the stream, too, so that a process that lives on with the
    descriptors can't hold us.
    """

    def __init__(self) -> None:
        self._mark = f"{secrets.token_hex(32)}\n".encode()
        self._passed = threading.Semaphore(0)
        self._closing = False
        self._kept: list[int] = []
        self._pump = threading.Thread(target=self._run, name="guard")

    def __enter__(self) -> Self:
        _flush()
        self._reading, writing = os.pipe()
        self._kept = [os.dup(1), os.dup(2)]
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        self._pump.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._settle()
        self._pump.join()
        for stream, kept in enumerate(self._kept, 1):
            os.dup2(kept, stream)
            os.close(kept)

    def say(self, text: str) -> None:
        """Print a line for the vendor, as it is."""
        self._settle()
        _write(self._kept[0], f"{text}\n".encode())

    def _settle(self) -> None:
        """Wait until all that was printed so far is out."""
        _flush()
        _write(1, self._mark)  # short enough to be written in one piece, whatever children write meanwhile
        self._passed.acquire()

    def _run(self) -> None:
        neutral = Neutral()
        held = b""
        while piece := os.read(self._reading, _PIECE):
            held += piece
            while self._mark in held:
                before, _, held = held.partition(self._mark)
                self._out(neutral.feed(before) + neutral.end())
                self._passed.release()
                if self._closing:
                    os.close(self._reading)
                    return
            # the mark may be cut in two: what could be its beginning waits
            keep = next((n for n in range(len(self._mark) - 1, 0, -1) if held.endswith(self._mark[:n])), 0)
            ready, held = held[: len(held) - keep], held[len(held) - keep :]
            self._out(neutral.feed(ready))

    def _out(self, text: str) -> None:
        """What nobody reads any more is read on all the same, or whoever prints it would wait for ever."""
        try:
            _write(self._kept[0], text.encode())
        except OSError:
            return


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
