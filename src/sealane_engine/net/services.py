"""Services: started when first needed, healthy before anything that uses them runs, stopped when nobody does.

A service is named by its key: two users of the same service share one instance. Its health is what its image or
`withDockerHealthcheck` says, else that each exposed TCP port accepts a connection. It ends ten seconds after its last
user, or with the session; one that was started by hand runs until it is stopped by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sealane_engine.errors import ExecError, InvalidInput, ServiceError
from sealane_engine.graph.output import Capture
from sealane_engine.graph.step import open_stdin, step_name
from sealane_engine.net.route import Route
from sealane_engine.sandbox.plan import Command
from sealane_engine.secrets.scrub import Scrubber

if TYPE_CHECKING:
    from sealane_engine.api.values import Healthcheck, Service
    from sealane_engine.events import Events
    from sealane_engine.graph.operation import Binding
    from sealane_engine.graph.prepare import Prepared, Preparer
    from sealane_engine.graph.solve import Asker, Solver
    from sealane_engine.net.network import Network
    from sealane_engine.sandbox.backend import Backend, Process

T = TypeVar("T")

DETACH_SECONDS = 10.0
TERMINATE_SECONDS = 10.0
LOG_LINES = 50
ALPHABET = "0123456789abcdefghijklmnopqrstuv"


@dataclass(slots=True)
class Running:
    """An instance: where it is, who uses it, and what ends it."""

    key: str
    hostname: str
    address: str
    ports: Mapping[int, int]  # what users connect to → where (differs only for tunnels to the client)
    stack: AsyncExitStack
    users: int = 0
    by_hand: bool = False
    process: Process | None = None
    capture: Capture | None = None
    watcher: asyncio.Task[None] | None = None
    detach: asyncio.TimerHandle | None = None
    ending: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    code: int | None = None  # of its process, once that has ended
    cause: str = ""  # of its end, when that wasn't its own


@dataclass(frozen=True, slots=True)
class Bound:
    """What a step is bound to: names → addresses, and the services by their aliases."""

    hosts: Mapping[str, str]
    services: tuple[tuple[str, Running], ...] = ()

    async def ended(self) -> ServiceError:
        """Wait until one of the services ends; for ever when there's none that can."""
        waiting = {
            asyncio.ensure_future(running.ended.wait()): (alias, running)
            for alias, running in self.services
            if running.process is not None
        }
        if not waiting:
            await asyncio.get_running_loop().create_future()
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        alias, running = waiting[done.pop()]
        why = running.cause or (f"exit code: {running.code}" if running.code else "")
        said = f"bound service {running.hostname} (aliased as {alias}) exited{': ' if why else ''}{why}"
        return ServiceError(
            f"{said}\n{_tail(running.capture)}".rstrip(), reason="service-exited", hint="look at its log above"
        )

    async def unless_ended(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` answers. Raises ServiceError as soon as a service ends while it is at it."""
        working, ended = asyncio.ensure_future(work), asyncio.ensure_future(self.ended())
        try:
            await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise ended.result()
        finally:
            working.cancel()
            ended.cancel()
            await asyncio.gather(working, ended, return_exceptions=True)


class Services:
    """All services of an engine. An async context manager: leaving it stops them."""

    def __init__(self, backend: Backend, network: Network, preparer: Preparer, events: Events) -> None:
        self._backend = backend
        self._network = network
        self._preparer = preparer
        self._events = events
        self._running: dict[str, Running] = {}
        self._starting: dict[str, asyncio.Task[Running]] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._starting.values():
            task.cancel()
        await asyncio.gather(*(self._end(each, grace=1.0) for each in tuple(self._running.values())))
        await asyncio.gather(*self._stopping, return_exceptions=True)

    # ---- what callers use

    async def bind(self, bindings: tuple[Binding, ...], solver: Solver, asker: Asker, stack: AsyncExitStack) -> Bound:
        """Start what a step is bound to and hold it until the stack is left."""
        hosts = {each.hostname: each.address for each in self._running.values()}
        running = await asyncio.gather(*(self._bound(each, solver, asker) for each in bindings))
        for binding, each in zip(bindings, running, strict=True):
            each.users += 1
            stack.callback(self._detach, each)
            hosts[each.hostname] = each.address
            hosts[binding.alias] = each.address
        return Bound(hosts, tuple(zip((binding.alias for binding in bindings), running, strict=True)))

    async def hostname(self, service: Service, solver: Solver, asker: Asker) -> str:
        """The name under which containers find a service. Nothing is started."""
        if service.upstream is not None:
            return "localhost"
        return service.hostname or _name(await solver.service_key(service, asker))

    async def endpoint(self, service: Service, port: int | None, solver: Solver, asker: Asker) -> tuple[str, int]:
        if service.upstream is not None:
            running = await self._get(service, solver, asker)
            number = running.ports.get(port) if port else next(iter(running.ports.values()), None)
        else:
            number = port or next((each.port for each in service.ports), None)
        if number is None:
            raise InvalidInput(
                "the service exposes no port", reason="no-ports", hint="call withExposedPort, or name the port"
            )
        return await self.hostname(service, solver, asker), number

    async def ports(self, tunnel: Service, solver: Solver, asker: Asker) -> list[int]:
        """The ports of the client's machine that a tunnel listens at, in the order in which it was asked for them."""
        return list((await self._get(tunnel, solver, asker)).ports.values())

    async def start(self, service: Service, solver: Solver, asker: Asker) -> Running:
        running = await self._get(service, solver, asker)
        running.by_hand = True
        return running

    async def stop(self, service: Service, solver: Solver, asker: Asker, *, kill: bool) -> None:
        running = self._running.get(await self._key(service, solver, asker))
        if running is not None:
            await self._end(running, grace=0.0 if kill else TERMINATE_SECONDS)

    async def route(self, service: Service, solver: Solver, asker: Asker) -> Route:
        """The way to a service from this machine. Nothing is started yet."""
        while service.upstream is not None:
            service = service.upstream
        host = await self.hostname(service, solver, asker)
        key = await solver.service_key(service, asker)
        return Route(host, key, lambda port: self._reached(lambda: self._get(service, solver, asker), port))

    def running(self, host: str) -> Route | None:
        """The way to the service that runs under a host name."""
        for each in self._running.values():
            if each.hostname.lower() == host.lower() and each.hostname != "localhost":
                return Route(each.hostname, each.key, partial(self._reached, partial(self._still, each)))
        return None

    async def _still(self, running: Running) -> Running:
        if running.key not in self._running:
            raise ServiceError(
                f"service {running.hostname} has ended", reason="service-ended", hint="start it, or bind it"
            )
        return running

    @contextlib.asynccontextmanager
    async def _reached(self, get: Callable[[], Awaitable[Running]], port: int) -> AsyncIterator[int]:
        running = await get()
        running.users += 1
        try:
            forward = await self._network.expose_to_host(running.address, port)
            try:
                yield forward.port
            finally:
                await forward.aclose()
        finally:
            self._detach(running)

    async def up(self, tunnel: Service, solver: Solver, asker: Asker) -> None:
        """Hold a tunnel open until it ends or the caller is cancelled."""
        running = await self._get(tunnel, solver, asker)
        try:
            await running.ended.wait()
        finally:
            await self._end(running, grace=0.0)

    # ---- starting

    async def _key(self, service: Service, solver: Solver, asker: Asker) -> str:
        if service.upstream is not None:
            ports = [(each.frontend, each.backend) for each in service.forwards]
            return f"tunnel:{await self._key(service.upstream, solver, asker)}:{ports}"
        return await solver.service_key(service, asker)

    async def _bound(self, binding: Binding, solver: Solver, asker: Asker) -> Running:
        try:
            return await self._get(binding.service, solver, asker)
        except ExecError as error:
            name = await self.hostname(binding.service, solver, asker)
            message = f"start {name} (aliased as {binding.alias}): exit code: {error.exit_code}"
            raise ExecError(error.cmd, error.exit_code, error.stdout, error.stderr, message) from None

    async def _get(self, service: Service, solver: Solver, asker: Asker) -> Running:
        key = await self._key(service, solver, asker)
        while (running := self._running.get(key)) is not None and running.ending:
            await running.ended.wait()
        if running is not None:
            if running.detach is not None:
                running.detach.cancel()
                running.detach = None
            return running
        task = self._starting.get(key)
        if task is None:
            task = self._starting[key] = asyncio.create_task(self._start(key, service, solver, asker))
            task.add_done_callback(lambda _: self._starting.pop(key, None))
        return await asyncio.shield(task)

    async def _start(self, key: str, service: Service, solver: Solver, asker: Asker) -> Running:
        async with AsyncExitStack() as stack:
            if service.upstream is not None:
                running = await self._start_tunnel(key, service, solver, asker, stack)
            elif service.step is None:
                running = await self._start_host(key, service, stack)
            else:
                running = await self._start_step(key, service, solver, asker, stack)
            running.stack = stack.pop_all()
            self._running[key] = running
        return running

    async def _start_tunnel(
        self, key: str, service: Service, solver: Solver, asker: Asker, stack: AsyncExitStack
    ) -> Running:
        assert service.upstream is not None
        upstream = await self._get(service.upstream, solver, asker)
        upstream.users += 1
        stack.callback(self._detach, upstream)
        ports: dict[int, int] = {}
        for each in service.forwards:
            forward = await self._network.expose_to_host(upstream.address, each.backend, port=each.frontend or 0)
            stack.push_async_callback(forward.aclose)
            ports[each.frontend or each.backend] = forward.port
        return Running(key, "localhost", "127.0.0.1", ports, stack)

    async def _start_host(self, key: str, service: Service, stack: AsyncExitStack) -> Running:
        ports = [(each.frontend or each.backend, service.host, each.backend) for each in service.forwards]
        forward = await self._network.expose_host(ports)
        stack.push_async_callback(forward.aclose)
        return Running(
            key, service.hostname or _name(key), forward.address, {port: port for port, _, _ in ports}, stack
        )

    async def _start_step(
        self, key: str, service: Service, solver: Solver, asker: Asker, stack: AsyncExitStack
    ) -> Running:
        step = service.step
        assert step is not None
        hostname = service.hostname or _name(key)
        bound = await self.bind(step.bindings, solver, asker, stack)
        address = self._network.address()
        stack.callback(self._network.release, address)
        prepared = await self._preparer.prepare(
            step, solver, asker, stack, hosts=bound.hosts, resolv_conf=self._network.resolv_conf(), hostname=hostname
        )
        capture = Capture(
            lambda: Scrubber(prepared.secrets),
            lambda stream, text: self._events.emit("log", asker, key=key, stream=stream, text=text),
        )
        stack.callback(capture.close)
        self._events.emit("service-start", asker, key=key, name=hostname, command=step_name(step))
        process = await self._launch(prepared, capture, address)
        stack.push_async_callback(process.kill)
        running = Running(key, hostname, address, {each.port: each.port for each in service.ports}, stack)
        running.process, running.capture = process, capture
        began = asyncio.get_running_loop().time()
        await bound.unless_ended(self._until_healthy(service, running, prepared))
        seconds = round(asyncio.get_running_loop().time() - began, 3)
        self._events.emit("service-ready", asker, key=key, name=hostname, seconds=seconds)
        running.watcher = asyncio.create_task(self._watch(running, bound))
        return running

    async def _launch(self, prepared: Prepared, capture: Capture, address: str) -> Process:
        async def attach(pid: int) -> None:
            await self._network.attach(pid, address)

        stdin = open_stdin(prepared.stdin)
        try:
            return await self._backend.start(
                prepared.plan, stdin=stdin, stdout=capture.stdout_fd, stderr=capture.stderr_fd, before_exec=attach
            )
        finally:
            os.close(stdin)
            capture.started()

    # ---- health

    async def _until_healthy(self, service: Service, running: Running, prepared: Prepared) -> None:
        assert running.process is not None
        ended = asyncio.create_task(running.process.wait())
        healthy = asyncio.create_task(self._health(service, running, prepared))
        try:
            await asyncio.wait({ended, healthy}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and not healthy.done():
                await self._raise_early_exit(service, running, ended.result().code)
            await healthy
        finally:
            for task in (ended, healthy):
                task.cancel()
            await asyncio.gather(ended, healthy, return_exceptions=True)

    async def _raise_early_exit(self, service: Service, running: Running, code: int) -> None:
        capture = running.capture
        assert capture is not None
        assert service.step is not None
        await capture.finish()
        self._events.emit("service-end", key=running.key, name=running.hostname, exit_code=code)
        stdout, stderr = capture.stdout.decode(errors="replace"), capture.stderr.decode(errors="replace")
        raise ExecError(service.step.args, code, stdout, stderr, f"start {running.hostname}: exit code: {code}")

    async def _health(self, service: Service, running: Running, prepared: Prepared) -> None:
        if service.healthcheck is not None:
            await self._run_healthcheck(service.healthcheck, running, prepared)
            return
        ports = [each.port for each in service.ports if each.protocol == "TCP" and not each.skip_healthcheck]
        await asyncio.gather(*(self._network.wait_listening(running.address, port) for port in ports))

    async def _run_healthcheck(self, check: Healthcheck, running: Running, prepared: Prepared) -> None:
        """As Docker does: the first probe at once, failures count only after the start period."""
        check = check.filled()
        assert running.process is not None
        args = ("/bin/sh", "-c", check.args[0]) if check.shell else check.args
        base = prepared.plan.command
        command = Command(args, base.env, base.cwd, base.uid, base.gid, base.groups)
        loop = asyncio.get_running_loop()
        began, failures, output = loop.time(), 0, ""
        while failures < check.retries:
            code, output = await self._probe(running.process, command, check.timeout, prepared.secrets)
            if code == 0:
                return
            in_start = loop.time() - began < check.start_period
            failures += 0 if in_start else 1
            if failures < check.retries:
                # a service that isn't up yet is asked again soon: the interval is how often to ask one that runs
                await asyncio.sleep(min(check.interval, check.start_interval, 0.1 * 2 ** min(failures, 6)))
                if not in_start and loop.time() - began < check.interval * check.retries:
                    failures = min(failures, check.retries - 1)
        raise ServiceError(
            f"service {running.hostname} is not healthy after {check.retries} probes of {' '.join(check.args)!r}: "
            f"{output.strip()[-500:]}\n{_tail(running.capture)}",
            reason="service-unhealthy",
            hint="look at its log above",
        )

    async def _probe(
        self, process: Process, command: Command, timeout: float, secrets: tuple[bytes, ...]
    ) -> tuple[int, str]:
        capture = Capture(lambda: Scrubber(secrets), lambda _stream, _text: None)
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        try:
            probe = await process.exec(command, stdin=null, stdout=capture.stdout_fd, stderr=capture.stderr_fd)
            capture.started()
            try:
                async with asyncio.timeout(timeout):
                    ended = await probe.wait()
            except TimeoutError:
                await probe.kill()
                return 1, f"no answer within {timeout} s"
            await capture.finish()
            return ended.code, bytes(capture.combined).decode(errors="replace")
        finally:
            os.close(null)
            capture.close()

    # ---- ending

    async def _watch(self, running: Running, bound: Bound) -> None:
        assert running.process is not None
        try:
            running.code = (await bound.unless_ended(running.process.wait())).code
        except ServiceError as error:
            running.cause = error.message
        self._events.emit("service-end", key=running.key, name=running.hostname, exit_code=running.code)
        running.watcher = None
        await self._end(running, grace=0.0)

    def _detach(self, running: Running) -> None:
        running.users -= 1
        if running.users == 0 and not running.by_hand and running.key in self._running:
            running.detach = asyncio.get_running_loop().call_later(DETACH_SECONDS, self._end_soon, running)

    def _end_soon(self, running: Running) -> None:
        task = asyncio.create_task(self._end(running, grace=TERMINATE_SECONDS))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def _end(self, running: Running, *, grace: float) -> None:
        """SIGTERM, and after `grace` seconds the end; a second call without grace doesn't wait for that."""
        if running.ending:
            if running.process is not None and not grace:
                await running.process.kill()
            await running.ended.wait()
            return
        running.ending = True
        if running.detach is not None:
            running.detach.cancel()
        if running.watcher is not None:
            running.watcher.cancel()
        if running.process is not None and grace:
            await running.process.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    running.code = (await running.process.wait()).code
        await running.stack.aclose()
        self._running.pop(running.key, None)
        running.ended.set()


def _tail(capture: Any) -> str:
    text = bytes(capture.combined).decode(errors="replace") if capture else ""
    return "\n".join(text.splitlines()[-LOG_LINES:])


def _name(key: str) -> str:
    """A host name of 13 characters from a key."""
    number = int(key.removeprefix("sha256:")[:17], 16)
    return "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(13))
