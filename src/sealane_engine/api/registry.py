"""How a field of the schema finds its implementation.

Each file of `api` has one `Fields` table per type it serves; `api.table` merges them. An implementation is

    async def with_exec(ctx: Context, self: Container, *, args: list[str], useEntrypoint: bool = False) -> Container

where `self` is the receiver's value (None for Query), arguments carry their GraphQL names with defaults filled in,
and object arguments are already values. It answers a scalar, a value (an object), a list of either, or None.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from sealane_engine.api.values import Service
    from sealane_engine.graph.operation import Operation
    from sealane_engine.graph.solve import Asker
    from sealane_engine.net.route import Route
    from sealane_engine.protocol.call import Call
    from sealane_engine.protocol.client import Client
    from sealane_engine.session import Engine

Implementation = Callable[..., Awaitable[Any]]
F = TypeVar("F", bound=Implementation)


@dataclass(frozen=True, slots=True)
class Context:
    """What an implementation may use: the engine's rooms, who asks, and the call that is being evaluated."""

    engine: Engine
    client: Client
    call: Call

    @property
    def asker(self) -> Asker:
        from sealane_engine.graph.solve import Asker

        return Asker(self.client)

    async def route(self, service: Service | None, host: str) -> Route | None:
        """The way to a service that an address may name: the given one, or one that runs under that name."""
        services = self.engine.services
        return await services.route(service, self.engine.solver, self.asker) if service else services.running(host)

    async def owner_ids(self, root: Operation, owner: str) -> str:
        """An `owner` argument as numeric `uid:gid`, names looked up in a container's root."""
        from sealane_engine.graph.users import find_owner

        view = self.engine.solver.view(await self.engine.solver.tree(root, self.asker))
        uid, gid = find_owner(view, owner)
        return f"{uid}:{gid}"


class Fields:
    """The implementations of one type's fields."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name
        self.table: dict[str, Implementation] = {}

    def __call__(self, name: str) -> Callable[[F], F]:
        def add(implementation: F) -> F:
            self.table[name] = implementation
            return implementation

        return add
