"""The launcher's loop: take requests, clone, write id maps, wait for ends."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import stat
from contextlib import suppress
from typing import Any

from sealane_engine.linux import libc, mounts, namespaces, process
from sealane_engine.sandbox import seccomp
from sealane_engine.sandbox.launcher import init, wire
from sealane_engine.sandbox.launcher.cgroups import Cgroups, Group
from sealane_engine.sandbox.launcher.child import NEW, Child, Handles
from sealane_engine.sandbox.launcher.command import Policy

_CONTROL = 3
_DESCRIPTORS = 5


class Running:
    """A sandbox's pid 1, or the process that waits for an exec."""

    def __init__(self, ident: int, pid: int, pidfd: int, reply: int, group: Group, *, owner: bool) -> None:
        self.ident = ident
        self.pid = pid
        self.pidfd = pidfd
        self.reply = reply
        self.group = group
        self.owner = owner


class Server:
    def __init__(self, control: socket.socket, base: int, count: int) -> None:
        self._control = control
        self._base = base
        self._map = f"0 {base} {count}".encode()
        self._cgroups = Cgroups()
        self._policy = Policy(
            seccomp.compile_filter(libc.MACHINE), seccomp.compile_filter(libc.MACHINE, privileged=True)
        )
        self._arguments = process.arguments_area()
        # Only the launcher has the writing end: it closes when the launcher dies, however that happens.
        self._life, self._alive = os.pipe()
        self._by_ident: dict[int, Running] = {}
        self._by_pidfd: dict[int, Running] = {}
        self._poll = select.epoll()
        self._poll.register(control, select.EPOLLIN)

    def serve(self) -> None:
        """Until the engine closes its end."""
        gc.collect()
        gc.freeze()
        gc.disable()
        while True:
            for fd, _ in self._poll.poll():
                if fd in self._by_pidfd:
                    self._ended(self._by_pidfd[fd])
                elif not self._receive():
                    return

    def close(self) -> None:
        """Kill everything that runs, and leave no group behind."""
        for running in self._by_ident.values():
            signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)
        for running in tuple(self._by_ident.values()):
            self._ended(running)
        self._cgroups.close()

    def _receive(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._control, wire.PACKET, _DESCRIPTORS)
        if not data:
            return False
        operation, ident, *rest = wire.decode(data)
        if operation == wire.SIGNAL:
            self._signal(ident, rest[0])
            return True
        payload, reply, *stdio = fds
        try:
            body = os.pread(payload, os.fstat(payload).st_size, 0)
            if operation == wire.START:
                self._start(ident, wire.decode_start(body), reply, stdio)
            else:
                self._exec(ident, wire.decode_exec(body), reply, stdio)
        except OSError as error:
            self._say(reply, (wire.FAILED, error.errno or 0, f"{error.strerror} ({error.filename or 'launcher'})"))
            os.close(reply)
        finally:
            for fd in (payload, *stdio):
                os.close(fd)
        return True

    def _start(self, ident: int, start: wire.Start, reply: int, stdio: list[int]) -> None:
        self._own(stdio, start.command)
        gate = os.eventfd(0)
        group = Group((), None)
        try:
            pid = namespaces.fork(NEW)
            if pid == 0:
                self._child(stdio, reply, gate).start(start)
            try:
                pidfd = os.pidfd_open(pid)
                for name in ("uid_map", "gid_map"):
                    self._write_map(pid, name)
                group = self._cgroups.make(ident, pids=start.command.processes, memory=start.memory)
                group.add(pid)
            except BaseException:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                group.remove()
                raise
            self._add(Running(ident, pid, pidfd, reply, group, owner=True))
            os.eventfd_write(gate, 1)
        finally:
            os.close(gate)

    def _exec(self, ident: int, request: wire.Exec, reply: int, stdio: list[int]) -> None:
        sandbox = self._by_ident.get(request.sandbox)
        if sandbox is None:
            raise ProcessLookupError(3, "the sandbox has ended")
        self._own(stdio, request.command)
        gate = os.eventfd(0)
        try:
            pid = namespaces.fork()
            if pid == 0:
                self._child(stdio, reply, gate).join(request, sandbox.pid)
            sandbox.group.add(pid)
            self._add(Running(ident, pid, os.pidfd_open(pid), reply, sandbox.group, owner=False))
            os.eventfd_write(gate, 1)
        finally:
            os.close(gate)

    def _child(self, stdio: list[int], reply: int, gate: int) -> Child:
        return Child(self._policy, self._arguments, Handles((stdio[0], stdio[1], stdio[2]), reply, gate, self._life))

    def _write_map(self, pid: int, name: str) -> None:
        fd = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, self._map)
        finally:
            os.close(fd)

    def _own(self, stdio: list[int], command: wire.WireCommand) -> None:
        """A step may open its own /dev/stdout anew only if the pipe is its user's."""
        for fd in stdio:
            if stat.S_ISFIFO(os.fstat(fd).st_mode) or os.isatty(fd):
                with suppress(PermissionError):  # rootless, and the pipe was made by somebody whose id we don't map
                    os.fchown(fd, self._base + command.uid, self._base + command.gid)

    def _add(self, running: Running) -> None:
        self._by_ident[running.ident] = running
        self._by_pidfd[running.pidfd] = running
        self._poll.register(running.pidfd, select.EPOLLIN)
        self._say(running.reply, (wire.STARTED, running.pid))

    def _ended(self, running: Running) -> None:
        _, status = os.waitpid(running.pid, 0)
        self._poll.unregister(running.pidfd)
        del self._by_ident[running.ident], self._by_pidfd[running.pidfd]
        os.close(running.pidfd)
        oom = running.group.ran_out_of_memory()
        if running.owner:
            running.group.remove()
        self._say(running.reply, (wire.EXITED, init.exit_code(status), oom))
        os.close(running.reply)

    def _signal(self, ident: int, number: int) -> None:
        running = self._by_ident.get(ident)
        if running is not None:
            try:
                signal.pidfd_send_signal(running.pidfd, number)
            except ProcessLookupError:
                return

    @staticmethod
    def _say(reply: int, message: tuple[Any, ...]) -> None:
        try:
            os.write(reply, wire.encode(message))
        except (BrokenPipeError, ConnectionResetError):  # the engine isn't interested any more
            return


def main(base: int, count: int) -> None:
    """Run the launcher: its control socket is descriptor 3, its working directory the store."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    process.leave_session_keyring()
    process.set_undumpable()
    process.set_name("sealane-launch")
    # Mounts of the host keep coming and going here, but nothing mounted for a sandbox gets out.
    namespaces.unshare(namespaces.NEWNS)
    libc.call("mount", None, b"/", None, mounts.MS_REC | mounts.MS_SLAVE, None)
    with socket.socket(fileno=_CONTROL) as control:
        server = Server(control, base, count)
        try:
            server.serve()
        finally:
            server.close()
