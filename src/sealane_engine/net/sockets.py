"""Work inside other network namespaces, done by one thread, so that the engine's own threads never leave theirs.

A socket belongs to the namespace of the thread that made it, and stays there when another thread uses it: the event
loop takes over every socket that is made here.
"""

from __future__ import annotations

import asyncio
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from sealane_engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class NamespaceThread:
    """One thread whose home is the router's namespace. Calls run there one after the other."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sealane-net")
        self._home = -1
        self._lost = False

    async def move(self, descriptor: int) -> None:
        """Make the namespace of `descriptor` (the caller keeps it open) the thread's home."""

        def enter() -> None:
            from sealane_engine.linux.netns import enter_netns

            enter_netns(descriptor)
            self._home = descriptor

        await self.run(enter)

    async def run(self, work: Callable[[], T], discard: Callable[[T], Any] | None = None) -> T:
        """Run `work` at home. When the caller is cancelled meanwhile, `discard` gets what `work` made."""
        if self._lost:
            raise EngineError(
                "the network thread could not return to the router's namespace",
                reason="network-lost",
                hint="restart the engine",
            )
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: _discard(done, discard))
            raise

    async def run_inside(self, pid: int, work: Callable[[int], T], discard: Callable[[T], Any] | None = None) -> T:
        """Run `work(descriptor)` in the network namespace of `pid`."""

        def there() -> T:
            from sealane_engine.linux.netns import enter_netns, open_netns

            descriptor = open_netns(pid)
            try:
                enter_netns(descriptor)
                try:
                    return work(descriptor)
                finally:
                    try:
                        enter_netns(self._home)
                    except OSError:
                        self._lost = True
            finally:
                os.close(descriptor)

        return await self.run(there, discard)

    def close(self) -> None:
        self._executor.shutdown(wait=True)


def _discard(done: asyncio.Future[T], discard: Callable[[T], Any] | None) -> None:
    if not done.cancelled() and done.exception() is None and discard is not None:
        discard(done.result())


def make_socket(kind: socket.SocketKind) -> socket.socket:
    made = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC)
    made.setblocking(False)
    return made


def make_listener(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """A listening TCP socket, or a bound UDP one."""
    made = make_socket(kind)
    try:
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        if kind == socket.SOCK_STREAM:
            made.listen(128)
    except BaseException:
        made.close()
        raise
    return made
