"""From a call to its value: each call is evaluated once per session, its receiver first.

Calls whose answer depends on who asks (the client's machine, its secrets, its function call) carry the client's id as
their scope, so that their ids mean the same for everybody who is handed one: whoever asks for them then, they are
evaluated for the client whose id that is. A module that returns a directory of `dag.host()` doesn't get its caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from sealane_engine.api.registry import Context, Implementation
from sealane_engine.errors import Unsupported
from sealane_engine.graph.flight import Flight
from sealane_engine.protocol.call import Call

if TYPE_CHECKING:
    from sealane_engine.api.table import Table
    from sealane_engine.protocol.client import Client
    from sealane_engine.session import Engine

PER_CLIENT = frozenset(
    {
        ("Query", "host"),
        ("Query", "secret"),
        ("Query", "address"),
        ("Query", "cacheVolume"),
        ("Query", "currentFunctionCall"),
        ("Query", "currentModule"),
        ("Query", "currentEnv"),
        ("Query", "moduleSource"),
        ("Query", "git"),
        ("Query", "http"),
    }
)
PER_SERVED = frozenset({("Query", "currentTypeDefs"), ("Query", "currentWorkspace"), ("Query", "_typeDefs")})
"""Per client, and anew with each module that is served to it."""

READ_ANEW = frozenset(
    {("Host", "directory"), ("Host", "file"), ("Host", "findUp"), ("Address", "directory"), ("Address", "file")}
)
"""With `noCache`, each time that it's asked; what is made of one id is made of one reading."""

NOT_MEMOISED = frozenset(
    {
        ("Container", "export"),
        ("Directory", "export"),
        ("File", "export"),
        ("Container", "publish"),
        ("Service", "start"),
        ("Service", "stop"),
        ("Service", "up"),
        ("Service", "endpoint"),
        ("Service", "ports"),
        ("Container", "up"),
        ("Container", "exportImage"),
        ("Up", "run"),
        ("UpGroup", "run"),
        ("FunctionCall", "returnValue"),
        ("FunctionCall", "returnError"),
        ("Module", "serve"),
        ("CurrentModule", "workdir"),
        ("CurrentModule", "workdirFile"),
        ("Engine", "clients"),
        ("EngineCache", "entrySet"),
        ("EngineCache", "prune"),
    }
)


class ApiResolver:
    """What the document walker asks (see protocol.walk.Resolver)."""

    def __init__(self, engine: Engine, table: Table) -> None:
        self._engine = engine
        self._table = table
        self._values: dict[str, Any] = {}
        self._flight: Flight[Any] = Flight()

    def extend(self, table: Mapping[tuple[str, str], Implementation], scope: str) -> None:
        """Serve the fields of a module, too; its scope is what the calls of its constructor carry."""
        self._table.extend(table, scope)

    def prepare(self, client: Client, type_name: str, field: str, args: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Before a call is made: a secret's plaintext is swapped for its handle, and the call gets its scope."""
        if (type_name, field) == ("Query", "setSecret"):
            handle = self._engine.secrets.keep(args["name"], args["plaintext"].encode())
            return {**args, "plaintext": handle}, ""
        if (type_name, field) in PER_SERVED:
            return args, f"{client.id}:{len(client.extra.get('served', ()))}"
        if type_name == "Query" and (scope := client.extra.get("module_scopes", {}).get(field)):
            return args, scope
        if (type_name, field) in READ_ANEW and args.get("noCache"):
            return args, f":{token_hex(8)}"
        return args, client.id if (type_name, field) in PER_CLIENT else ""

    async def value(self, client: Client, call: Call) -> Any:
        return await self.evaluate(client, call)

    async def elements(self, client: Client, call: Call) -> int | None:
        values = await self.evaluate(client, call)
        return None if values is None else len(values)

    async def exists(self, client: Client, call: Call) -> bool:
        return await self.evaluate(client, call) is not None

    async def evaluate(self, client: Client, call: Call) -> Any:
        """The value of a call. The chain of receivers is walked iteratively: it may be thousands long."""
        pending: list[Call] = []
        current: Call | None = call
        while current is not None and current.digest not in self._values:
            pending.append(current)
            current = current.receiver
        value = None
        for each in reversed(pending):
            if each.digest not in self._values:
                value = await self._flight.do(each.digest, lambda each=each: self._evaluate(client, each))  # type: ignore[misc]
                if self._is_memoised(each):
                    self._values[each.digest] = value
        return self._values.get(call.digest, value)

    def _is_memoised(self, call: Call) -> bool:
        return (call.receiver.type if call.receiver else "Query", call.field) not in NOT_MEMOISED

    async def _evaluate(self, client: Client, call: Call) -> Any:
        if call.nth:
            values = await self.evaluate(client, replace(call, nth=0))
            return values[call.nth - 1]
        receiver_type = call.receiver.type if call.receiver else "Query"
        receiver = self._values.get(call.receiver.digest) if call.receiver else None
        if call.receiver and call.receiver.digest not in self._values:
            receiver = await self.evaluate(client, call.receiver)
        implementation = self._implementation(receiver_type, receiver, call)
        if implementation is None:
            raise Unsupported(
                f"{receiver_type}.{call.field} is not implemented by the embedded engine",
                hint="run this pipeline on a Dagger engine: sealane --engine dagger",
            )
        schema = getattr(implementation, "schema", None) or self._engine.schema_of(client)
        given = schema.arguments(call) if call.owner in schema.types else call.arguments()
        args = {name: await self._argument(client, value) for name, value in given.items()}
        return await implementation(Context(self._engine, self._whose(call, client), call), receiver, **args)

    def _implementation(self, type_name: str, receiver: Any, call: Call) -> Implementation | None:
        """Of a field. A module's is that module's; one of an interface is known by the object that stands for it."""
        scope = call.scope or getattr(getattr(receiver, "module", None), "scope", "")
        own = getattr(receiver, "type", "")
        for name in (type_name, own) if isinstance(own, str) and own else (type_name,):
            found = self._table.of_module(scope, name, call.field) or self._table.find(name, call.field)
            if found is not None:
                return found
        return None

    def _whose(self, call: Call, asker: Client) -> Client:
        """The client for whom a call is evaluated: its scope's, if it or what it's asked of has one, else who asks."""
        scopes = (call.scope, call.receiver.scope if call.receiver else "")
        ident = next((ident for scope in scopes if (ident := scope.partition(":")[0])), "")
        if ident in ("", asker.id):
            return asker
        owner = self._engine.clients.known(ident)
        return replace(owner, labels=asker.labels, traceparent=asker.traceparent, metadata=asker.metadata)

    async def _argument(self, client: Client, value: Any) -> Any:
        if isinstance(value, Call):
            return await self.evaluate(client, value)
        if isinstance(value, list | tuple):
            return [await self._argument(client, each) for each in value]
        if isinstance(value, dict):
            return {name: await self._argument(client, each) for name, each in value.items()}
        return value
