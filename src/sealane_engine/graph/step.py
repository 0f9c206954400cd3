"""A step: lease inputs, overlay, sandbox, commit.

Nothing is mounted outside the step's own namespaces, so a kill -9 leaves nothing mounted; what it wrote lies in
stagings that the next start sweeps.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sealane_engine.errors import EngineError, ExecError
from sealane_engine.graph.operation import Exec, MountTree
from sealane_engine.graph.output import Capture, for_error
from sealane_engine.graph.prepare import copy_file
from sealane_engine.host.terminal import at_terminal
from sealane_engine.sandbox.plan import Overlay
from sealane_engine.secrets.scrub import Scrubber
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from sealane_engine.events import Events
    from sealane_engine.graph.prepare import Lone, Prepared, Preparer
    from sealane_engine.graph.solve import Asker, Solver
    from sealane_engine.net.network import Network
    from sealane_engine.net.services import Bound, Services
    from sealane_engine.sandbox.backend import Backend, Exit, Process
    from sealane_engine.session import Nested
    from sealane_engine.store.layers import Staging
    from sealane_engine.store.store import Store

NESTED_PORT = 8080
SIGNALS = range(128, 192)


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step left: its exit code, its output (secrets masked), and its trees."""

    key: str
    exit_code: int
    stdout: bytes
    stderr: bytes
    combined: bytes
    root: Tree
    mounts: Mapping[int, Tree]


@dataclass(frozen=True, slots=True)
class Held:
    """A command that runs for as long as it is needed; `capture` makes one for output that is not its own."""

    process: Process
    output: Capture
    capture: Callable[[Asker], Capture]


class Steps:
    """Runs steps."""

    def __init__(
        self,
        store: Store,
        backend: Backend,
        network: Network,
        services: Services,
        preparer: Preparer,
        events: Events,
        nested: Callable[[Asker, AsyncExitStack], Awaitable[Nested]],
    ) -> None:
        self._store = store
        self._backend = backend
        self._network = network
        self._services = services
        self._preparer = preparer
        self._events = events
        self._nested = nested
        self.shell: tuple[str, ...] = ()
        """What runs at the client's terminal where a step has failed; nothing when it is empty."""
        self._terminal = asyncio.Lock()  # there is one

    async def run(self, step: Exec, key: str, solver: Solver, asker: Asker) -> StepResult:
        """Run a step and keep what it left. Raises ExecError when its exit code isn't one that it expects."""
        name = step_name(step)
        async with AsyncExitStack() as stack:
            nested = await self._nested(asker, stack) if step.nested else None
            bound = await self._services.bind(step.bindings, solver, asker, stack)
            prepared = await self._prepare(step, key, solver, asker, stack, nested, (), bound)
            self._events.emit("step-start", asker, key=key, name=name)
            ended, capture, seconds = await bound.unless_ended(self._execute(prepared, key, asker, stack, nested))
            self._events.emit("step-end", asker, key=key, name=name, seconds=seconds, exit_code=ended.code)
            try:
                self._check(step, ended.code, capture)
            except ExecError:
                await self._look_around(prepared, f"{name}: exit code: {ended.code}", asker, stack, nested)
                raise
            return await asyncio.to_thread(self._commit, step, key, prepared, ended, capture)

    async def hold(
        self,
        step: Exec,
        solver: Solver,
        asker: Asker,
        stack: AsyncExitStack,
        stdin: int,
        env: tuple[tuple[str, str], ...],
    ) -> Held:
        """Start a command that nobody keeps anything of (a module's process). It is killed when the stack is left."""
        bound = await self._services.bind(step.bindings, solver, asker, stack)
        prepared = await self._prepare(step, "function", solver, asker, stack, None, env, bound)
        capture = self._capture("", prepared, asker)
        stack.callback(capture.close)
        process = await self._captured(prepared, capture, stdin, stack, None)

        def capture_for(asker: Asker) -> Capture:
            # A function may ask for the text of any secret that it is handed; what it says isn't kept, so all can go.
            every = (*prepared.secrets, *self._preparer.secrets.every())
            return self._capture("", replace(prepared, secrets=every), asker)

        return Held(process, capture, capture_for)

    async def at_terminal(self, step: Exec, solver: Solver, asker: Asker) -> int:
        """Run a command at the client's terminal; its exit code. Nothing of it is kept."""
        async with AsyncExitStack() as stack:
            nested = await self._nested(asker, stack) if step.nested else None
            env = (("TERM", os.environ.get("TERM", "xterm")),)
            bound = await self._services.bind(step.bindings, solver, asker, stack)
            prepared = await self._prepare(step, "terminal", solver, asker, stack, nested, env, bound)
            return await self._at_terminal(prepared, "", asker, stack, nested)

    async def _look_around(
        self, prepared: Prepared, what: str, asker: Asker, stack: AsyncExitStack, nested: Nested | None
    ) -> None:
        """The shell in what a failed step has left: its files and mounts as they are, its services still up."""
        if not self.shell:
            return
        command = prepared.plan.command
        env = tuple(pair for pair in command.env if pair[0] != "TERM")
        again = replace(command, args=self.shell, env=(*env, ("TERM", os.environ.get("TERM", "xterm"))))
        inside = replace(prepared, plan=replace(prepared.plan, command=again), stdin=b"")
        for staging in (prepared.staging, *prepared.mount_stagings.values()):
            # The kernel's mark on what a volatile mount has left: it mounts that again only without it.
            shutil.rmtree(staging.path / "work/work/incompat", ignore_errors=True)
        try:
            await self._at_terminal(inside, what, asker, stack, nested)
        except EngineError as error:  # no terminal, no such shell: the step's own failure is what counts
            said = f"no shell in the failed step: {error.message}"
            self._events.emit("warning", asker, message=said, reason="no-shell")

    async def _at_terminal(
        self, prepared: Prepared, why: str, asker: Asker, stack: AsyncExitStack, nested: Nested | None
    ) -> int:
        async def run(terminal: int) -> int:
            process = await self._start(prepared, (terminal, terminal, terminal), stack, nested)
            return (await process.wait()).code

        async with self._terminal:
            self._events.emit("terminal", asker, open=True, why=why)
            try:
                return await at_terminal(run)
            finally:
                self._events.emit("terminal", asker, open=False, why=why)

    async def _prepare(
        self,
        step: Exec,
        key: str,
        solver: Solver,
        asker: Asker,
        stack: AsyncExitStack,
        nested: Nested | None,
        env: tuple[tuple[str, str], ...],
        bound: Bound,
    ) -> Prepared:
        return await self._preparer.prepare(
            step,
            solver,
            asker,
            stack,
            hosts=bound.hosts,
            resolv_conf=self._network.resolv_conf(),
            hostname=key.removeprefix("sha256:")[:12],
            extra_env=(("BAGGAGE", asker.baggage), *(nested.env if nested else ()), *env),
        )

    def _capture(self, key: str, prepared: Prepared, asker: Asker) -> Capture:
        def on_text(stream: str, text: str) -> None:
            self._events.emit("log", asker, key=key, stream=stream, text=text)

        return Capture(lambda: Scrubber(prepared.secrets), on_text)

    async def _execute(
        self, prepared: Prepared, key: str, asker: Asker, stack: AsyncExitStack, nested: Nested | None
    ) -> tuple[Exit, Capture, float]:
        """Start a plan and wait for its end; the answer has the seconds that took."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        capture = self._capture(key, prepared, asker)
        stack.callback(capture.close)
        stdin = open_stdin(prepared.stdin)
        try:
            process = await self._captured(prepared, capture, stdin, stack, nested)
        finally:
            os.close(stdin)
        ended = await process.wait()
        await capture.finish()
        return ended, capture, round(loop.time() - started, 3)

    async def _captured(
        self, prepared: Prepared, capture: Capture, stdin: int, stack: AsyncExitStack, nested: Nested | None
    ) -> Process:
        try:
            return await self._start(prepared, (stdin, capture.stdout_fd, capture.stderr_fd), stack, nested)
        finally:
            capture.started()

    async def _start(
        self, prepared: Prepared, streams: tuple[int, int, int], stack: AsyncExitStack, nested: Nested | None
    ) -> Process:
        async def attach(pid: int) -> None:
            if prepared.isolated:
                await self._network.isolate(pid)
                return
            stack.callback(self._network.release, await self._network.attach(pid))
            if nested:
                await nested.listen(pid)

        stdin, stdout, stderr = streams
        process = await self._backend.start(
            prepared.plan, stdin=stdin, stdout=stdout, stderr=stderr, before_exec=attach
        )
        stack.push_async_callback(process.kill)
        if nested:
            nested.machine.started(process, prepared.plan.command)
        return process

    def _check(self, step: Exec, code: int, capture: Capture) -> None:
        fine = {"SUCCESS": code == 0, "FAILURE": code != 0 and code not in SIGNALS, "ANY": code not in SIGNALS}
        if not fine[step.expect]:
            where = f"{step.origin}: exit code: {code}" if step.origin else None
            raise ExecError(step.args, code, for_error(capture.stdout), for_error(capture.stderr), where)

    def _commit(self, step: Exec, key: str, prepared: Prepared, ended: Exit, capture: Capture) -> StepResult:
        check_frozen(ended, step_name(step))
        root = prepared.root.on(self._store.commit(prepared.staging, drop=ended.stubs))
        mounts: dict[int, Tree] = {}
        for index, staging in prepared.mount_stagings.items():
            mount = step.mounts[index]
            assert isinstance(mount, MountTree)
            if mount.kind == "any":
                continue
            mounts[index] = self._commit_mount(mount, prepared, staging, prepared.lone.get(index))
        result = StepResult(key, ended.code, capture.stdout, capture.stderr, bytes(capture.combined), root, mounts)
        return self._redirect(step, result)

    def _commit_mount(self, mount: MountTree, prepared: Prepared, staging: Staging, lone: Lone | None) -> Tree:
        if mount.kind == "file":
            kept = (self._original(lone) if lone is not None and lone.untouched else None) or self._copy(staging)
            staging.discard()
            return Tree((self._store.commit(kept),))
        layer = self._store.commit(staging)
        overlay = next(each.source for each in prepared.plan.mounts if each.target == mount.target)
        assert isinstance(overlay, Overlay)
        return Tree(tuple(lower.removeprefix("l/") for lower in overlay.lowers)).on(layer)

    def _copy(self, staging: Staging) -> Staging:
        """A file that was mounted alone, anew: a descriptor of the one that was mounted may have left the sandbox."""
        fresh = self._store.staging()
        try:
            for name in os.listdir(staging.fs):
                copy_file(f"{staging.fs}/{name}", f"{fresh.fs}/{name}")
        except BaseException:
            fresh.discard()
            raise
        return fresh

    def _original(self, lone: Lone) -> Staging | None:
        """A file that the step left as it was: the one that it was copied from, which takes no room again. None where
        it can't have one more name.
        """
        fresh = self._store.staging()
        try:
            os.link(lone.original, f"{fresh.fs}/{os.path.basename(lone.copy)}")
        except OSError:
            fresh.discard()
            return None
        return fresh

    def _redirect(self, step: Exec, result: StepResult) -> StepResult:
        """Write the streams to the files that the step names, in the root or in the mounted tree that holds the path."""
        for path, data in ((step.redirect_stdout, result.stdout), (step.redirect_stderr, result.stderr)):
            if not path:
                continue
            index = next(
                (i for i, m in enumerate(step.mounts) if i in result.mounts and path.startswith(m.target + "/")), None
            )
            base = result.root if index is None else result.mounts[index]
            inner = path if index is None else path[len(step.mounts[index].target) :]
            with self._store.edit(base) as edit:
                edit.write(inner, data)
            if index is None:
                result = replace(result, root=edit.tree)
            else:
                result = replace(result, mounts={**result.mounts, index: edit.tree})
        return result


def check_frozen(ended: Exit, name: str) -> None:
    """What isn't known to be final is not kept."""
    if not ended.frozen:
        raise EngineError(
            f"{name}: its changes can't be kept, for a file that it wrote is still open in another sandbox",
            reason="still-open",
            hint="don't hand open files to a service through a cache volume",
        )


def step_name(step: Exec) -> str:
    """A step as progress shows it."""
    return "withExec " + " ".join(arg if len(arg) < 120 else arg[:117] + "..." for arg in step.args)


def open_stdin(data: bytes) -> int:
    """A descriptor that reads as `data`."""
    if not data:
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    descriptor = os.memfd_create("stdin", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
