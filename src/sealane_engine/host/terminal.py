"""The client's terminal, lent to a command in a sandbox: what is typed goes to it, what it writes is shown."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import termios
import tty
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from sealane_engine.errors import HostError

VARIABLE = "SEALANE_TERMINAL"
"""The path of the terminal, for an engine that has none of its own (it was started in a session of its own)."""
_READ = 65_536


async def at_terminal(run: Callable[[int], Awaitable[int]]) -> int:
    """Await `run` with a terminal that is joined to the client's; the answer is its own.

    The terminal's size is looked at with each key. Raises HostError (`no-terminal`).
    """
    with ExitStack() as stack:
        outer = _open(stack)
        inner, theirs = os.openpty()
        stack.callback(os.close, inner)
        stack.callback(os.close, theirs)
        _copy_size(outer, inner)
        saved = termios.tcgetattr(outer)
        stack.callback(termios.tcsetattr, outer, termios.TCSADRAIN, saved)
        tty.setraw(outer, termios.TCSADRAIN)  # what was typed ahead stays
        loop = asyncio.get_running_loop()
        os.set_blocking(inner, False)

        def typed() -> None:
            _copy_size(outer, inner)
            _pass(outer, inner)

        loop.add_reader(outer, typed)
        stack.callback(loop.remove_reader, outer)
        loop.add_reader(inner, _pass, inner, outer)
        stack.callback(loop.remove_reader, inner)
        code = await run(theirs)
        while _pass(inner, outer):
            pass
        return code


def _open(stack: ExitStack) -> int:
    path = os.environ.get(VARIABLE) or "/dev/tty"
    try:
        found = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        stack.callback(os.close, found)
        termios.tcgetattr(found)
    except (OSError, termios.error):
        raise HostError(
            "there is no terminal to open", reason="no-terminal", hint="run this in a terminal, not in CI or a pipe"
        ) from None
    return found


def _pass(source: int, target: int) -> bool:
    """What can be read from one side, to the other; whether there was something."""
    try:
        data = os.read(source, _READ)
    except OSError:
        return False
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(target, data) :]
    return True


def _copy_size(outer: int, inner: int) -> None:
    size = fcntl.ioctl(outer, termios.TIOCGWINSZ, bytes(8))
    fcntl.ioctl(inner, termios.TIOCSWINSZ, size)
