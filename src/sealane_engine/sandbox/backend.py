"""What a sandbox backend offers: start a plan, talk to what runs, learn how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from sealane_engine.sandbox.plan import Command, Plan


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended. `code` is 128 + n after signal n. `stubs` are mount targets that the backend made in the
    root's staging (paths relative to the root, deepest first), which the caller removes from the changes when they are still empty.
    `frozen`: nothing can write to the plan's stagings any more; without it they must not be kept (a descriptor of a file
    in them may have been handed to another sandbox, or the sandbox was killed as a whole).
    """

    code: int
    stubs: tuple[str, ...] = ()
    oom: bool = False
    frozen: bool = False


class Process(Protocol):
    """Something that runs in a sandbox."""

    @property
    def pid(self) -> int:
        """Process id (on the engine's side) of the sandbox's pid 1; its namespaces are under /proc/PID/ns."""
        ...

    async def wait(self) -> Exit:
        """Until everything in the sandbox has ended. May be called more than once."""
        ...

    async def signal(self, number: int) -> None:
        """Send a signal to the command (through .init, which forwards it). No error if it has ended."""
        ...

    async def kill(self) -> None:
        """SIGKILL the whole pid namespace and wait for it."""
        ...

    async def exec(self, command: Command, *, stdin: int, stdout: int, stderr: int) -> Process:
        """Run one more command inside this sandbox (a health check, a debug shell)."""
        ...


class Backend(Protocol):
    """A way to run plans. An async context manager: leaving it kills what still runs."""

    name: str

    async def start(
        self,
        plan: Plan,
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        before_exec: Callable[[int], Awaitable[None]] | None = None,
    ) -> Process:
        """Start a plan.

        The three descriptors are the caller's (it closes its own copies); a pipe among them is given to the step's ids.
        `before_exec(pid)` is awaited when the sandbox's namespaces exist and its mounts are made, before the command
        starts: that is where its network is attached.
        Raises EngineError when the sandbox can't be set up. A command that can't be executed is an ordinary exit:
        code 1 and `fork/exec PATH: no such file or directory` (or `permission denied`) on stderr, as Dagger does.
        """
        ...
