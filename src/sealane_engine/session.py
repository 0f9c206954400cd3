"""An engine's lifetime: one exit stack from the store's lock to the session's socket."""

from __future__ import annotations

import asyncio
import contextlib
import secrets as random_secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealane_engine.errors import InvalidInput, Unsupported
from sealane_engine.events import Events
from sealane_engine.graph.machine import Machine
from sealane_engine.graph.prepare import Preparer
from sealane_engine.graph.solve import Asker, Solver
from sealane_engine.graph.step import NESTED_PORT, Steps
from sealane_engine.images.pins import Pins
from sealane_engine.modules.room import Modules
from sealane_engine.oci.patience import SECONDS, Patience
from sealane_engine.protocol.client import Client, Clients
from sealane_engine.protocol.ids import IdTable
from sealane_engine.sandbox.ids import ROOT_RANGE, IdRange
from sealane_engine.secrets.secret import Secrets
from sealane_engine.store.space import Room, make_room

if TYPE_CHECKING:
    from sealane_engine.api.resolver import ApiResolver
    from sealane_engine.images.images import Images
    from sealane_engine.net.network import Network
    from sealane_engine.net.services import Services
    from sealane_engine.protocol.schema import Schema
    from sealane_engine.protocol.server import Server
    from sealane_engine.store.store import Store

SYNC_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """How an engine is started. `grants` are what it may do beyond the default: `privileged` steps, publishing
    images on a base of the catalog (`catalog:NAME`, `catalog:*`). `shell` is what runs where a step has failed, if any. `pins` are the base images that a project has locked;
    `registry_wait` is for how many seconds a busy registry is waited for.
    """

    home: Path
    workdir: Path
    backend: str = "launcher"
    grants: frozenset[str] = frozenset()
    ids: IdRange = ROOT_RANGE
    pins: Pins = field(default_factory=Pins)
    registry_wait: float = SECONDS
    shell: tuple[str, ...] = ()


class Engine:
    """The rooms of one engine, as the fields of the schema use them."""

    def __init__(self, options: Options, events: Events) -> None:
        self.options = options
        self.events = events
        self.clients = Clients()
        self.ids = IdTable()
        self.modules = Modules()
        self.store: Store
        self.secrets: Secrets
        self.network: Network
        self.images: Images
        self.solver: Solver
        self.steps: Steps
        self.services: Services
        self.resolver: ApiResolver
        self.server: Server
        self.main: Client  # who started the engine
        self.scratch: Path
        self._schema: Schema | None = None

    @property
    def core(self) -> Schema:
        """What every client sees."""
        if self._schema is None:
            from sealane_engine.protocol.schema import Schema

            self._schema = Schema.load()
        return self._schema

    def schema_of(self, client: Client) -> Schema:
        """What a client sees: the core, and the modules that were served to it."""
        served: Schema | None = client.extra.get("schema")
        return self.core if served is None else served

    # ---- clients

    def new_client(self, ident: str = "", **extra: Any) -> Client:
        """A client with a token of its own. Nobody can guess its id, which calls carry that are only its own."""
        ident = ident or random_secrets.token_hex(16)
        return self.clients.add(Client(ident, random_secrets.token_hex(32), extra))

    def client_path(self, client: Client, path: str) -> Path:
        """A path of the machine that the engine runs on. A nested client's own is its sandbox: see `machine`."""
        self.need_machine(client, f"path {path!r}")
        workdir: Path = client.extra["workdir"]
        return (workdir / Path(path).expanduser()).absolute()

    def machine(self, client: Client) -> Machine | None:
        """The machine of a client in a step that has a session of its own; None for all others."""
        found: Machine | None = client.extra.get("machine")
        return found

    def need_machine(self, client: Client, what: str) -> None:
        """Refuse what is of the machine that the engine runs on to all but the client that started it."""
        if client.extra.get("workdir") is None:
            raise Unsupported(
                f"the host of a nested session can't be reached ({what})",
                hint="pass directories, files, secrets and services to functions as arguments",
            )

    def namespace(self, client: Client) -> str:
        """Cache volumes of different modules never meet."""
        return str(client.extra.get("namespace", ""))

    def allow_privileged(self, asked: bool, what: str) -> None:
        if asked and "privileged" not in self.options.grants:
            raise InvalidInput(
                f"{what} is not granted to this engine",
                reason="privilege-not-granted",
                hint="start the engine with --allow privileged, if you trust the pipeline",
            )

    # ---- nested sessions

    async def nested(self, asker: Asker, stack: AsyncExitStack) -> Nested:
        """A session for a command in a sandbox: a token of its own, and a listener inside its network namespace."""
        machine = Machine()
        child = self.new_client(parent=asker.client.id, namespace=self.namespace(asker.client), machine=machine)
        stack.callback(self.clients.remove, child)
        stack.callback(machine.ended)
        return Nested(self, child, stack, machine)


@dataclass(slots=True)
class Nested:
    """What a nested client needs: variables that name its session, and somebody who listens there."""

    engine: Engine
    client: Client
    stack: AsyncExitStack
    machine: Machine

    @property
    def env(self) -> tuple[tuple[str, str], ...]:
        return (("DAGGER_SESSION_PORT", str(NESTED_PORT)), ("DAGGER_SESSION_TOKEN", self.client.token))

    async def listen(self, pid: int) -> None:
        listening = await self.engine.network.listen_inside(pid, port=NESTED_PORT)
        listener = await self.engine.server.adopt(listening, only=self.client)
        self.stack.push_async_callback(self.engine.server.drop, listener)


@contextlib.asynccontextmanager
async def open_engine(options: Options, events: Events) -> AsyncIterator[Engine]:
    """An engine whose rooms are open; everything it holds is given back at the end, in reverse."""
    from sealane_engine.api.resolver import ApiResolver
    from sealane_engine.api.table import Table
    from sealane_engine.graph.raw import RawRunner
    from sealane_engine.host.trust import find_trust
    from sealane_engine.host.trust_layer import TrustLayers
    from sealane_engine.images.images import Images
    from sealane_engine.net.network import Network
    from sealane_engine.net.services import Services
    from sealane_engine.protocol.endpoint import Endpoint
    from sealane_engine.protocol.server import Server
    from sealane_engine.protocol.telemetry import EventHooks
    from sealane_engine.sandbox import open_backend
    from sealane_engine.sandbox.emulation import Emulators
    from sealane_engine.store.store import Store

    engine = Engine(options, events)
    async with AsyncExitStack() as stack:
        engine.store = Store.open(options.home, options.ids)
        stack.push_async_callback(asyncio.to_thread, engine.store.close)
        stack.push_async_callback(_keep_room, engine.store, events)
        for note in engine.store.notes:
            events.emit("warning", message=note, reason="store-note")
        engine.scratch = _scratch(engine.store, stack)
        engine.secrets = Secrets(await asyncio.to_thread(store_key, options.home))
        engine.network = await stack.enter_async_context(Network(events))
        backend = await stack.enter_async_context(
            open_backend(options.backend, home=options.home, ids=options.ids, events=events)
        )
        trust = TrustLayers(engine.store, await asyncio.to_thread(find_trust))
        emulators = stack.enter_context(contextlib.closing(Emulators()))
        preparer = Preparer(engine.store, engine.secrets, trust, emulators)
        engine.services = await stack.enter_async_context(Services(backend, engine.network, preparer, events))
        runner = RawRunner(engine.store, backend, engine.network, trust, events, emulators)
        engine.images = Images(
            engine.store, events, run=runner, emulators=emulators, pins=options.pins, patience=_patience(engine)
        )
        stack.push_async_callback(engine.images.close)
        engine.solver = Solver(engine.store, engine.images, events)
        engine.steps = Steps(engine.store, backend, engine.network, engine.services, preparer, events, engine.nested)
        engine.solver.steps = engine.steps
        engine.steps.shell = options.shell
        engine.resolver = ApiResolver(engine, Table())
        # The same in every session: stored answers of functions name what is the caller's.
        engine.main = engine.new_client(
            engine.secrets.mac(b"main client").removeprefix("hmac:"), workdir=options.workdir
        )
        hooks = EventHooks(events, engine.main.id)
        endpoint = Endpoint(
            clients=engine.clients, resolver=engine.resolver, ids=engine.ids, schema=engine.schema_of, hooks=hooks
        )
        engine.server = await stack.enter_async_context(Server(endpoint))
        stack.push_async_callback(engine.modules.aclose)
        syncing = asyncio.create_task(_sync(engine.store))
        stack.callback(syncing.cancel)
        yield engine


def _patience(engine: Engine) -> Patience:
    """With busy registries; each wait is an event."""
    return Patience(
        engine.options.registry_wait,
        lambda said: engine.events.emit("warning", message=said, reason="registry-busy"),
    )


def _scratch(store: Store, stack: AsyncExitStack) -> Path:
    """A folder for the engine's own files; the next start sweeps it away if a kill leaves it behind."""
    staging = store.staging()
    stack.callback(staging.discard)
    folder = staging.path / "scratch"
    folder.mkdir(mode=0o700)
    return folder


def store_key(home: Path) -> bytes:
    """The key of the store's HMACs, made once: 32 random bytes that only the engine's user reads."""
    path = home / "key"
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    fresh = path.with_name(f"key.{random_secrets.token_hex(8)}")
    fresh.touch(mode=0o600)
    fresh.write_bytes(random_secrets.token_bytes(32))
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(fresh)  # the first of two engines wins
    fresh.unlink()
    return path.read_bytes()


async def _keep_room(store: Store, events: Events) -> None:
    """At the end, when nobody waits for a step."""
    pruned = await asyncio.to_thread(make_room, store, Room.on(store.home))
    if pruned is not None:
        said = f"the disk of {store.home} was short of room: {pruned.results} cached results went"
        events.emit("warning", message=said, reason="store-pruned")


async def _sync(store: Store) -> None:
    """Mark results as durable, now and then."""
    while True:
        await asyncio.sleep(SYNC_SECONDS)
        await asyncio.to_thread(store.sync_durable)
