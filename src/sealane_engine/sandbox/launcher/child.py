"""A sandbox's own processes, from the clone to the command: what runs between the launcher and the step."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from sealane_engine.linux import binfmt, capabilities, namespaces, process
from sealane_engine.sandbox.launcher import command, init, root, runtime, wire

if TYPE_CHECKING:
    from sealane_engine.sandbox.launcher.command import Policy
    from sealane_engine.sandbox.launcher.targets import Root
    from sealane_engine.sandbox.launcher.wire import Exec, Start

SETUP_FAILED = 125
"""The exit code of a sandbox that could not be set up; the reply socket says why."""

NEW = (
    namespaces.NEWUSER
    | namespaces.NEWNS
    | namespaces.NEWPID
    | namespaces.NEWNET
    | namespaces.NEWIPC
    | namespaces.NEWUTS
)
"""The namespaces of a sandbox. Its cgroup namespace is made later, when it is in its cgroup."""

_MOST_STAGED = 253
"""As many descriptors as one message takes."""

_STDIO, _REPLY, _GATE, _LIFE, _FREE = 0, 3, 4, 5, 6


class Handles(NamedTuple):
    """Descriptors that a clone starts with; `life` reads as ended when the launcher is gone."""

    stdio: tuple[int, int, int]
    reply: int
    gate: int
    life: int


class Child:
    """The clone. Every method runs in it; none returns to the launcher's loop."""

    def __init__(self, policy: Policy, arguments: tuple[int, int], handles: Handles) -> None:
        self._policy = policy
        self._arguments = arguments
        self._handles = handles
        self._held: tuple[int, ...] = ()

    def start(self, request: Start) -> NoReturn:
        """Be a sandbox's pid 1."""
        try:
            self._enter()
            if request.emulator:
                self._emulate(request.emulator)
            process.set_name(".init")
            process.set_arguments(self._arguments, b".init")
            namespaces.unshare(namespaces.NEWCGROUP)
            if request.runtime:
                self._delegate(request)
            if request.no_init:
                self._below(request)
            self._command(request)
        except BaseException as error:  # noqa: BLE001 (nothing may get back into the launcher's code)
            self._fail(error)

    def _emulate(self, line: str) -> None:
        """Before the host's paths go: the kernel opens the emulator now, and keeps it for as long as init holds this."""
        self._held = (binfmt.mount(),)
        binfmt.register(self._held[0], line)

    def _below(self, request: Start) -> None:
        """The command is to be pid 1: in a pid namespace inside this one, which dies with this one's pid 1.

        (Its own parent-death signal would be forgotten when it executes something set-user-ID.)
        """
        namespaces.unshare(namespaces.NEWPID)
        init.block()
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = namespaces.fork()
        if pid == 0:
            process.die_with_parent()
            self._command(request, above=there)
        there.close()
        _, staged, _, _ = socket.recv_fds(here, 1, _MOST_STAGED)
        os.chdir("/")
        self._become_init(pid, staged)

    def _command(self, request: Start, *, above: socket.socket | None = None) -> NoReturn:
        """Build the sandbox, talk to the engine, run the command below an init, or instead of one: then the init is
        `above`, and is told the mounts that it has to freeze.
        """
        built = root.build(request, root.ANCHOR)
        if above is not None:
            socket.send_fds(above, [b"s"], built.staged if len(built.staged) <= _MOST_STAGED else [])
        directory = built.ensure(request.command.cwd, directory=True, record=False)
        built.pivot()
        self._policy.bound(request.command)
        self._made(request, built)
        if above is None:
            pid = namespaces.fork()
            if pid:
                self._become_init(pid, built.staged)
        command.run(request.command, self._policy, directory)

    def _delegate(self, request: Start) -> NoReturn:
        """Build the sandbox, and let a runtime run the command below this init."""
        built = root.build(request, runtime.prepare(request))
        os.close(built.ensure(request.command.cwd, directory=True, record=False))
        self._made(request, built)
        runtime.find(built, request)
        pid = runtime.launch(built, request)
        self._say((wire.RUNNING,))
        self._become_init(pid, built.staged)

    def _made(self, request: Start, built: Root) -> None:
        """The mounts are there: tell the engine, and wait for its word."""
        namespaces.set_hostname(request.hostname)
        init.block()  # a signal that comes once the engine knows us is kept for the command
        self._say((wire.READY, tuple(built.stubs)))
        if request.handshake and self._hear() != wire.GO:
            os._exit(SETUP_FAILED)

    def join(self, request: Exec, pid: int) -> NoReturn:
        """Run one more command in the sandbox whose pid 1 is `pid`."""
        try:
            self._enter_existing(pid)
            self._policy.bound(request.command)
            init.block()
            child = namespaces.fork()
            if child:
                self._become_init(child)
            process.die_with_parent()
            fd = os.open(os.fsdecode(request.command.cwd), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._say((wire.READY, ()))
            command.run(request.command, self._policy, fd)
        except BaseException as error:  # noqa: BLE001
            self._fail(error)

    def _enter_existing(self, pid: int) -> None:
        self._descriptors()
        os.eventfd_read(_GATE)
        process.set_name(".exec")
        process.set_undumpable()
        target = os.pidfd_open(pid)
        inner = os.open(f"/proc/{pid}/ns/pid_for_children", os.O_RDONLY | os.O_CLOEXEC)
        namespaces.enter(target, NEW & ~namespaces.NEWPID | namespaces.NEWCGROUP)
        namespaces.enter(inner, namespaces.NEWPID)
        os.close(target)
        os.close(inner)
        self._become_root()
        os.chdir("/")

    def _enter(self) -> None:
        """Wait for the id maps and the cgroup, then be root of the new user namespace."""
        self._descriptors()
        process.set_undumpable()
        os.eventfd_read(_GATE)
        self._become_root()

    def _descriptors(self) -> None:
        """Exactly: 0-2 for the command, the reply socket, the gate, the launcher's life; nothing of other sandboxes."""
        # First out of the way of the final numbers, then on to them.
        moved = [os.dup2(fd, _FREE + 1000 + index, inheritable=False) for index, fd in enumerate(self._all())]
        for number, fd in enumerate(moved):
            os.dup2(fd, number, inheritable=number < _REPLY)
        os.closerange(_FREE, command.OPEN_FILES)
        os.umask(0o022)

    def _all(self) -> tuple[int, ...]:
        handles = self._handles
        return (*handles.stdio, handles.reply, handles.gate, handles.life)

    def _become_root(self) -> None:
        os.setgroups(())
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        process.set_undumpable()
        # A change of ids forgets the death signal, so it is set here; and the launcher may have died before this line.
        process.die_with_parent()
        watch = select.poll()
        watch.register(_LIFE, select.POLLIN)
        if watch.poll(0):
            os._exit(SETUP_FAILED)

    def _become_init(self, pid: int, staged: Sequence[int] = ()) -> NoReturn:
        """Keep nothing but what forwarding signals needs, and freezing the mounts `staged` at the end."""
        first = 0
        for kept in sorted((_REPLY, *staged, *self._held) if staged else self._held):
            os.closerange(first, kept)
            first = kept + 1
        os.closerange(first, command.OPEN_FILES)
        capabilities.set_own(capabilities.mask(("KILL", "SYS_ADMIN") if staged else ("KILL",)))
        init.supervise(pid, staged, lambda code: self._say((wire.FROZEN, code)))

    def _say(self, message: tuple[Any, ...]) -> None:
        os.write(_REPLY, wire.encode(message))

    def _hear(self) -> bytes:
        return os.read(_REPLY, 1)

    def _fail(self, error: BaseException) -> NoReturn:
        try:
            if isinstance(error, OSError):
                where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
                self._say((wire.FAILED, error.errno or 0, f"{error.strerror or error}{where}"))
            else:
                self._say((wire.FAILED, 0, f"{type(error).__name__}: {error}"))
        finally:
            os._exit(SETUP_FAILED)
