"""The engine's side of the launcher: a Backend on asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import sealane_engine
from sealane_engine.errors import EngineError, HostError
from sealane_engine.events import Events
from sealane_engine.sandbox.backend import Exit
from sealane_engine.sandbox.ids import IdRange
from sealane_engine.sandbox.launcher import wire
from sealane_engine.sandbox.launcher.root import ANCHOR, EMPTY
from sealane_engine.sandbox.plan import Command, Plan

_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from sealane_engine.sandbox.launcher.server import main; "
    "main(int(sys.argv[2]), int(sys.argv[3]))"
)
_GOODBYE = 10.0
"""Seconds that the launcher has for killing what runs when the engine leaves."""


class SandboxProcess:
    """A command in a sandbox; `backend.Process` says what its methods promise."""

    def __init__(self, launcher: Launcher, ident: int, reply: socket.socket, plan: Plan) -> None:
        self._launcher = launcher
        self._ident = ident
        self._reply = reply
        self._plan = plan
        self._exit: asyncio.Future[tuple[int, bool]] = asyncio.get_running_loop().create_future()
        self._ready: asyncio.Future[tuple[str, ...]] = asyncio.get_running_loop().create_future()
        self._runs: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stubs: tuple[str, ...] = ()
        self._failure: EngineError | None = None
        self._frozen = False
        self.pid = 0

    def listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._reply, self._receive)

    def drain(self) -> None:
        """The launcher has ended: read what it said last, and its end."""
        while self._reply.fileno() >= 0:
            self._receive()

    def _receive(self) -> None:
        try:
            data = self._reply.recv(wire.PACKET)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        kind, *rest = wire.decode(data)
        match kind:
            case wire.STARTED:
                self.pid = rest[0]
            case wire.READY:
                self._stubs = rest[0]
                _settle(self._ready, self._stubs)
            case wire.FROZEN:
                self._frozen = True
                if self._plan.limits.memory_bytes is None:
                    # It's all over but the kernel's tidying of namespaces, which takes longer than many a command. (With
                    # a limit of its memory, the launcher has to say whether that was what ended it.)
                    _settle(self._exit, (rest[0], False), error=self._failure)
            case wire.RUNNING:
                _settle(self._runs)
            case wire.FAILED:
                self._failure = _setup_error(*rest)
                _settle(self._ready, error=self._failure)
                _settle(self._runs, error=self._failure)
            case wire.EXITED:
                _settle(self._exit, (rest[0], rest[1]), error=self._failure)
                self._close()

    def _lost(self) -> None:
        """The launcher ended without a word about this sandbox (which is dead too, by its parent-death signal)."""
        _settle(self._exit, error=HostError("the sandbox launcher ended", reason="launcher-died", hint="see its log"))
        self._close()

    def _close(self) -> None:
        if self._reply.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._reply)
            self._reply.close()
        error = EngineError("the sandbox ended while it was set up", reason="sandbox-setup")
        _settle(self._ready, error=error)
        _settle(self._runs)
        self._launcher.forget(self)

    async def ready(self) -> None:
        """Until its mounts are made."""
        await asyncio.shield(self._ready)

    async def runs(self) -> None:
        """Until a runtime has started the command, or it has ended."""
        await asyncio.shield(self._runs)

    def go(self) -> None:
        with contextlib.suppress(OSError):  # it has died: wait() says how
            self._reply.send(wire.GO)

    async def wait(self) -> Exit:
        code, oom = await asyncio.shield(self._exit)
        return Exit(code, self._stubs, oom, self._frozen)

    async def signal(self, number: int) -> None:
        if not self._exit.done():
            await self._launcher.send((wire.SIGNAL, self._ident, int(number)))

    async def kill(self) -> None:
        await self.signal(signal.SIGKILL)
        with contextlib.suppress(EngineError):
            await self.wait()

    async def exec(self, command: Command, *, stdin: int, stdout: int, stderr: int) -> SandboxProcess:
        request = wire.Exec(self._ident, wire.wire_command(command, self._plan))
        return await self._launcher.run(wire.EXEC, request, (stdin, stdout, stderr), None, self._plan)


class Launcher:
    """The `launcher` backend: an async context manager around the launcher's process."""

    name = "launcher"

    def __init__(self, home: Path, ids: IdRange, events: Events | None = None) -> None:
        self._home = home
        self._ids = ids
        self._events = events
        self._counter = 0
        self._running: set[SandboxProcess] = set()
        self._sending = asyncio.Lock()

    async def __aenter__(self) -> Self:
        for name in (ANCHOR, EMPTY):
            (self._home / name).mkdir(mode=0o755, exist_ok=True)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        with theirs:
            self._process = self._spawn(theirs.fileno())
        return self

    def _spawn(self, control: int) -> subprocess.Popen[bytes]:
        """A clean interpreter: no site, no environment of ours, only the standard library and our source.

        subprocess and not asyncio's: a launcher is a child for the engine's whole life, nothing has to watch it.
        """
        source = str(Path(sealane_engine.__file__).parent.parent)
        arguments = [source, str(self._ids.base), str(self._ids.count)]
        # 3 is where it expects its socket; `sh`-free way there: dup2 onto 3 happens in the child by way of pass_fds.
        program = f"import os; os.dup2({control}, 3); " + _PROGRAM if control != 3 else _PROGRAM
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program, *arguments],
            cwd=self._home,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=(control,),
            start_new_session=True,
        )

    async def __aexit__(self, *_: object) -> None:
        """The launcher kills what runs when its socket closes; wait for that."""
        self._control.close()
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, self._process.wait, _GOODBYE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await loop.run_in_executor(None, self._process.wait)
        for process in tuple(self._running):
            process.drain()

    @property
    def pid(self) -> int:
        """The launcher's process id."""
        return self._process.pid

    async def start(
        self,
        plan: Plan,
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        before_exec: Callable[[int], Awaitable[None]] | None = None,
    ) -> SandboxProcess:
        self._check_ids(plan)
        request = wire.wire_start(plan, handshake=before_exec is not None, runtime=self._runtime(plan))
        return await self.run(wire.START, request, (stdin, stdout, stderr), before_exec, plan)

    def _runtime(self, plan: Plan) -> tuple[str, bytes]:  # noqa: ARG002 (the second backend needs it)
        """The runtime that runs the command, and its configuration: none here."""
        return "", b""

    def _check_ids(self, plan: Plan) -> None:
        for ident in (plan.command.uid, plan.command.gid, *plan.command.groups):
            self._ids.outer(ident)

    async def run(
        self,
        operation: int,
        request: tuple[Any, ...],
        stdio: tuple[int, int, int],
        before_exec: Callable[[int], Awaitable[None]] | None,
        plan: Plan,
    ) -> SandboxProcess:
        """Send a request and see it through to the point where the command runs."""
        self._counter += 1
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        process = SandboxProcess(self, self._counter, ours, plan)
        self._running.add(process)
        payload = os.memfd_create("request", os.MFD_CLOEXEC)
        try:
            process.listen()
            _write_all(payload, wire.encode(request))
            await self.send((operation, self._counter), (payload, theirs.fileno(), *stdio))
        finally:
            os.close(payload)
            theirs.close()
        try:
            await process.ready()
            if before_exec is not None:
                await before_exec(process.pid)
                process.go()
            if isinstance(request, wire.Start) and request.runtime:
                await process.runs()
        except BaseException:
            await process.kill()
            raise
        return process

    async def send(self, message: tuple[Any, ...], descriptors: tuple[int, ...] = ()) -> None:
        """One packet to the launcher. Waits for room if the launcher is behind."""
        data = wire.encode(message)
        loop = asyncio.get_running_loop()
        async with self._sending:
            while True:
                try:
                    socket.send_fds(self._control, [data], descriptors)
                except BlockingIOError:
                    await _writable(loop, self._control)
                except OSError as error:
                    raise HostError(
                        f"the sandbox launcher can't be reached: {error.strerror}", reason="launcher-died"
                    ) from error
                else:
                    return

    def forget(self, process: SandboxProcess) -> None:
        self._running.discard(process)


def _setup_error(errno: int, text: str) -> EngineError:
    kind = HostError if errno in {1, 13, 38} else EngineError
    return kind(
        f"the sandbox can't be set up: {text}", reason="sandbox-setup", hint="`sealane doctor` looks for causes"
    )


def _settle(future: asyncio.Future[Any], value: Any = None, *, error: Exception | None = None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
        future.exception()  # it may be that nobody asks


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


async def _writable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    event = asyncio.Event()
    loop.add_writer(sock, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_writer(sock)
