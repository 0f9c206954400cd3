"""A module's warm parent, from the engine's side: a sandbox in which Python has imported dagger, and a fork of it per call."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sealane_engine.api.container.execs import make_step
from sealane_engine.errors import NotFound
from sealane_engine.graph.solve import Asker

if TYPE_CHECKING:
    from sealane_engine.graph.step import Held
    from sealane_engine.modules.runtime import Runtime
    from sealane_engine.protocol.client import Client
    from sealane_engine.session import Engine

_REPORT = 4096


class Warm:
    """One per module and engine. All calls of a module in one session share its sandbox, as one after the other they
    would share a checkout; each has a process, a session and an output of its own.
    """

    def __init__(self, engine: Engine, stack: AsyncExitStack, held: Held, control: socket.socket) -> None:
        self._engine = engine
        self._stack = stack
        self._held = held
        self._control = control
        self._count = 0
        self._calls: dict[int, asyncio.Future[int | None]] = {}
        self.alive = True

    @classmethod
    async def start(cls, engine: Engine, runtime: Runtime, asker: Asker) -> Self:
        program = Path(__file__).with_name("parent.py").read_text(encoding="utf-8")
        step = make_step(runtime.container, ("python", "-c", program), expect="ANY")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        async with AsyncExitStack() as stack:
            stack.callback(ours.close)
            with theirs:
                held = await engine.steps.hold(step, engine.solver, asker, stack, theirs.fileno(), runtime.env)
            warm = cls(engine, stack.pop_all(), held, ours)
        loop = asyncio.get_running_loop()
        loop.add_reader(ours, warm._receive)
        warm._stack.callback(loop.remove_reader, ours)
        return warm

    async def aclose(self) -> None:
        """Kill it, and all calls with it."""
        self.alive = False
        await self._stack.aclose()

    async def call(self, client: Client, env: dict[str, str]) -> tuple[int, str, str]:
        """Run a client's call; the answer is its process's exit code and output. Cancelled, the process is killed."""
        self._count += 1
        ident = self._count
        ended = self._calls[ident] = asyncio.get_running_loop().create_future()
        asker = Asker(client)
        async with AsyncExitStack() as stack:
            stack.callback(self._engine.clients.remove, client)
            stack.callback(self._calls.pop, ident, None)
            capture = self._held.capture(asker)
            stack.callback(capture.close)
            listening = await self._engine.network.listen_inside(self._held.process.pid)
            port = listening.getsockname()[1]
            listener = await self._engine.server.adopt(listening, only=client)
            stack.push_async_callback(self._engine.server.drop, listener)
            session = {"DAGGER_SESSION_PORT": str(port), "DAGGER_SESSION_TOKEN": client.token, "BAGGAGE": asker.baggage}
            try:
                await self._send({"id": ident, "env": {**env, **session}}, [capture.stdout_fd, capture.stderr_fd])
            finally:
                capture.started()
            try:
                code = await ended
            except asyncio.CancelledError:
                with contextlib.suppress(OSError):
                    await self._send({"kill": ident})
                raise
            if code is None:
                return await self._died()
            await capture.finish()
        return code, capture.stdout.decode(errors="replace"), capture.stderr.decode(errors="replace")

    async def take(self, path: str, target: Path) -> None:
        """Archive what lies at a path of the sandbox into a file. Raises NotFound (`path-not-found`)."""
        self._count += 1
        ident = self._count
        ended = self._calls[ident] = asyncio.get_running_loop().create_future()
        try:
            with target.open("wb") as file:
                await self._send({"id": ident, "take": path}, [file.fileno()])
            code = await ended
        finally:
            self._calls.pop(ident, None)
        if code != 0:
            raise NotFound(f"{path!r} can't be read in the module's working directory", reason="path-not-found")

    async def _died(self) -> tuple[int, str, str]:
        """The parent is gone; what it said last says why."""
        code = (await self._held.process.wait()).code
        await self._held.output.finish()
        return code or 1, "", self._held.output.stderr.decode(errors="replace")

    def _receive(self) -> None:
        try:
            data = self._control.recv(_REPORT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            report = json.loads(data)
            self._settle(report["id"], report["code"])
            return
        self.alive = False
        asyncio.get_running_loop().remove_reader(self._control)
        for ident in tuple(self._calls):
            self._settle(ident, None)

    def _settle(self, ident: int, code: int | None) -> None:
        ended = self._calls.get(ident)
        if ended is not None and not ended.done():
            ended.set_result(code)

    async def _send(self, request: dict[str, object], descriptors: list[int] | None = None) -> None:
        data = json.dumps(request).encode()
        loop = asyncio.get_running_loop()
        while True:
            try:
                socket.send_fds(self._control, [data], descriptors or [])
            except BlockingIOError:
                room = asyncio.Event()
                loop.add_writer(self._control, room.set)
                try:
                    await room.wait()
                finally:
                    loop.remove_writer(self._control)
            except (BrokenPipeError, ConnectionResetError):
                return  # it has died: who waits for a report hears so
            else:
                return
