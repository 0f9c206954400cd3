"""What a value is, for the key of a function call: content where there is any, else how it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sealane_engine.api.values import Directory, File
from sealane_engine.graph.keys import digest_of
from sealane_engine.modules.values import calls_in, replaced
from sealane_engine.protocol.call import Call
from sealane_engine.secrets.secret import Secret

if TYPE_CHECKING:
    from sealane_engine.graph.solve import Asker
    from sealane_engine.session import Engine

_MACHINE = frozenset(("Host", "Address"))
_BY_CONTENT = frozenset(("Directory", "File", "Secret"))


class Contents:
    """Content keys for one request; each call is looked at once."""

    def __init__(self, engine: Engine, asker: Asker) -> None:
        self._engine = engine
        self._asker = asker
        self._known: dict[str, Any] = {}

    async def of(self, value: Any) -> Any:
        """A canonical argument with every call replaced by its content key."""
        if isinstance(value, Call):
            return await self._call(value)
        if isinstance(value, list | tuple):
            return [await self.of(each) for each in value]
        if isinstance(value, dict):
            return {name: await self.of(each) for name, each in value.items()}
        return value

    async def of_state(self, state: Any) -> Any:
        """An object's state with every id replaced by its content key."""
        names = {self._engine.ids.encode(call): call for call in calls_in(self._engine, state)}
        keys = {name: await self._call(call) for name, call in names.items()}
        return replaced(state, keys)

    async def _call(self, call: Call) -> Any:
        """The chain is walked from its beginning: it may be thousands long."""
        chain: list[Call] = []
        current: Call | None = call
        while current is not None and current.digest not in self._known:
            chain.append(current)
            if current.type in _BY_CONTENT:
                break
            current = current.receiver
        for each in reversed(chain):
            self._known[each.digest] = await self._one(each)
        return self._known[call.digest]

    async def _one(self, call: Call) -> Any:
        if call.type in _BY_CONTENT:
            value = await self._engine.resolver.evaluate(self._asker.client, call)
            if isinstance(value, Directory | File):
                return {"content": await self._engine.solver.content(value.at, self._asker)}
            if isinstance(value, Secret):
                return {"secret": value.identity}
        if call.type == "Workspace" or (call.owner in _MACHINE and call.type in ("Service", "Socket")):
            # A function may read anything of a workspace, and what listens on a port may say anything next time.
            return {"session": [self._engine.solver.session, call.digest]}
        made = self._known.get(call.receiver.digest) if call.receiver else None
        args = await self.of(call.arguments())
        named = call.scope.removeprefix(":") if call.scope.startswith(":sha256:") else ""
        module = named or self._engine.modules.fields.get((call.owner, call.field), "")
        return {"made": digest_of([made, call.type, call.field, args, call.nth, module])}
