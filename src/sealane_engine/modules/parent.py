"""The process that a module's calls are forks of. It runs in the module's container, alone with that container's packages.

Importing dagger takes most of a call's time, so it happens once. Standard input is a socket: a request is JSON
with two descriptors for the call's output, `{"id", "env"}`, or `{"kill": id}`, or `{"id", "take": path}` with one for an
archive of what lies there; a report is JSON too, `{"id", "code"}`.
"""

from __future__ import annotations

import array
import functools
import gc
import importlib
import inspect
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_REQUEST = 1 << 17


def load() -> Callable[[], int | None]:
    """Import what serves a call: `dagger.mod.cli.app`."""
    # As in a module's container of Dagger's, where the client has no part that could start an engine.
    sys.modules["dagger.provisioning"] = None  # type: ignore[assignment]
    try:
        beartype = vars(importlib.import_module("beartype"))
    except ImportError:
        beartype = {}
    eager = beartype.get("beartype")
    beartype["beartype"] = functools.partial(_deferred, eager)
    try:
        app: Callable[[], int | None] = importlib.import_module("dagger.mod.cli").app
    finally:
        beartype["beartype"] = eager
    return app


def _deferred(eager: Any, subject: Any = None, **options: Any) -> Any:
    """beartype, whose class decorator writes a checking function for each method: here when it is called first, for of
    dagger's 1,000 methods a call needs a few.
    """
    if subject is not None or not options:
        return eager(subject, **options)
    decorate = eager(**options)

    def decorator(subject: Any) -> Any:
        if not isinstance(subject, type):
            return decorate(subject)
        for name, value in tuple(vars(subject).items()):
            if inspect.isfunction(value) and not name.startswith("__"):
                setattr(subject, name, _checked_later(decorate, subject, name, value))
        return decorate(subject)

    return decorator


def _checked_later(decorate: Any, owner: type, name: str, method: Any) -> Any:
    def checked() -> Any:
        if vars(owner)[name] is later:
            setattr(owner, name, method)
            decorate(owner)  # the others are marked as not to be looked at, or have been
        return vars(owner)[name]

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return await checked()(*args, **kwargs)

        later: Any = call_async
    else:

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            return checked()(*args, **kwargs)

        later = call
    later.__no_type_check__ = True
    return later


def serve(control: socket.socket, app: Callable[[], int | None]) -> int | None:
    """Fork a child for each request, until the engine closes its end. In a child, answers what the call does."""
    ended, wake = socket.socketpair()
    for each in (ended, wake):
        each.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    running: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is ended:
                    _reap(control, ended, running)
                    continue
                data, descriptors = _receive(control)
                if not data:
                    return 0
                request = json.loads(data)
                if "kill" in request:
                    _kill(running, request["kill"])
                    continue
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for each in (control, ended, wake):
                        each.close()
                    selector.close()
                    if "take" in request:
                        return _take(request["take"], descriptors[0])
                    _become(request["env"], descriptors)
                    return app()
                for descriptor in descriptors:
                    os.close(descriptor)
                running[pid] = request["id"]


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    found = array.array("i")
    data, messages, _, _ = control.recvmsg(_REQUEST, socket.CMSG_SPACE(2 * found.itemsize))
    for level, kind, content in messages:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(content)
    return data, list(found)


def _become(env: dict[str, str], descriptors: list[int]) -> None:
    """A child's own session, output and variables."""
    os.setsid()
    for number, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.update(env)


def _take(path: str, descriptor: int) -> int:
    """Archive a file or a directory's content."""
    import tarfile

    with open(descriptor, "wb") as target, tarfile.open(fileobj=target, mode="w|") as archive:
        archive.add(path, arcname="." if os.path.isdir(path) else os.path.basename(path))
    return 0


def _reap(control: socket.socket, ended: socket.socket, running: dict[int, int]) -> None:
    with suppress(BlockingIOError):
        ended.recv(4096)
    while running:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        ident = running.pop(pid, None)
        if ident is not None:
            with suppress(OSError):
                os.killpg(pid, signal.SIGKILL)  # what a call leaves behind ends with it
            code = os.waitstatus_to_exitcode(status)
            control.send(json.dumps({"id": ident, "code": code if code >= 0 else 128 - code}).encode())


def _kill(running: dict[int, int], ident: int) -> None:
    for pid, each in running.items():
        if each == ident:
            with suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)  # it may not have made its session yet


def main() -> int | None:
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    gc.disable()
    app = load()
    gc.freeze()  # what is here now stays: children share its pages
    gc.enable()
    return serve(control, app)


if __name__ == "__main__":
    sys.exit(main())
