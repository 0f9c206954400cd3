"""Values on their way into and out of a module's process: JSON there, calls and objects here, ids between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sealane_engine.errors import EngineError, InvalidInput
from sealane_engine.modules.module import Module, ModuleObject
from sealane_engine.protocol.call import Call, dump, load, rebuilt
from sealane_engine.protocol.ids import encode

if TYPE_CHECKING:
    from sealane_engine.modules.typedefs import TypeDef
    from sealane_engine.protocol.client import Client
    from sealane_engine.session import Engine

_ID_LENGTH = 60


def to_json(engine: Engine, value: Any) -> Any:
    """A canonical argument as the module gets it: objects as ids."""
    if isinstance(value, Call):
        return engine.ids.encode(value)
    if isinstance(value, list | tuple):
        return [to_json(engine, each) for each in value]
    if isinstance(value, dict):
        return {name: to_json(engine, each) for name, each in value.items()}
    return value


async def from_json(engine: Engine, client: Client, module: Module, of: TypeDef, value: Any) -> Any:
    """What a function returned, or a field of its state, as a value of the type that it promised."""
    if value is None:
        return None
    if of.element is not None:
        if not isinstance(value, list):
            raise InvalidInput(f"a list was promised, and a {type(value).__name__} returned", reason="bad-return")
        return [await from_json(engine, client, module, of.element, each) for each in value]
    if of.kind not in ("OBJECT_KIND", "INTERFACE_KIND"):
        return value
    if isinstance(value, dict):
        return ModuleObject(module, of.name, value)
    if not isinstance(value, str):
        raise InvalidInput(f"{of.name} was promised, and a {type(value).__name__} returned", reason="bad-return")
    return await engine.resolver.evaluate(client, engine.ids.load(value))


def calls_in(engine: Engine, value: Any) -> Iterator[Call]:
    """The calls whose ids are anywhere in some JSON."""
    if isinstance(value, dict):
        for each in value.values():
            yield from calls_in(engine, each)
    elif isinstance(value, list):
        for each in value:
            yield from calls_in(engine, each)
    elif isinstance(value, str) and len(value) >= _ID_LENGTH:
        try:
            yield engine.ids.load(value)
        except EngineError:
            return


def saved(engine: Engine, value: Any, given: list[Call]) -> dict[str, Any]:
    """An answer as JSON that outlives the session: with the calls it names, and those that the function was given."""
    named = {call.digest: call for call in calls_in(engine, value)}
    return {"value": value, "calls": [dump(call) for call in named.values()], "given": [call.digest for call in given]}


def restored(engine: Engine, stored: dict[str, Any], given: list[Call]) -> Any:
    """A stored answer, its ids valid in this session; LookupError when it isn't one of the same shape of arguments.

    The answer's key holds what the arguments contained, not where that was: an id in it that was made of an argument
    of then (a directory of the host, say) is made of the argument of now.
    """
    before = stored.get("given")
    if before is None or len(before) != len(given):
        raise LookupError
    changed = {old: new for old, new in zip(before, given, strict=True) if old != new.digest}
    names = {}
    for each in stored["calls"]:
        old = load(each)
        new = engine.ids.add(rebuilt(old, changed) if changed else old)
        names[encode(old)] = encode(new)
    return replaced(stored["value"], names)


def replaced(value: Any, names: dict[str, Any]) -> Any:
    """Some JSON with every string that `names` has replaced."""
    if isinstance(value, dict):
        return {name: replaced(each, names) for name, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value
