"""One function call: a process in the module's container that is a client of its own, or its answer from the store."""

from __future__ import annotations

import asyncio
import contextlib
import json
import posixpath
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sealane_engine.api.durations import parse_duration
from sealane_engine.errors import EngineError, ExecError, InvalidInput
from sealane_engine.graph.keys import Key, make_key
from sealane_engine.modules.content import Contents
from sealane_engine.modules.values import calls_in, restored, saved, to_json
from sealane_engine.modules.warm import Warm
from sealane_engine.protocol.call import Call, in_order
from sealane_engine.protocol.telemetry import traceparent_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sealane_engine.api.registry import Context
    from sealane_engine.api.typedefs import ErrorObject
    from sealane_engine.modules.module import Module
    from sealane_engine.modules.runtime import Runtime
    from sealane_engine.modules.source import ModuleSource
    from sealane_engine.modules.typedefs import ArgDef, FunctionDef, TypeDef

WEEK = 7 * 24 * 3600.0
_EXEC_ERROR = frozenset(("cmd", "exitCode", "stdout", "stderr"))
_SHOWN_LINES = 12


class FunctionFailed(EngineError):
    """A module's function raised; its error's values are the extensions."""

    reason = "function-failed"

    def __init__(self, message: str, values: dict[str, Any]) -> None:
        super().__init__(message)
        self.values = values

    def extensions(self) -> dict[str, Any]:
        return {"reason": self.reason, **self.values}


@dataclass(slots=True)
class FunctionCall:
    """What the module's process asks for and answers. Empty names: it shall register its types."""

    parent_name: str = ""
    name: str = ""
    parent: Any = None
    inputs: tuple[tuple[str, Any], ...] = ()
    value: Any = None
    error: ErrorObject | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def answered(self) -> bool:
        return self.done.is_set()

    def answer(self, *, value: Any = None, error: ErrorObject | None = None) -> None:
        if self.answered:
            raise InvalidInput("function call return already set", reason="returned-twice")
        self.value, self.error = value, error
        self.done.set()


@dataclass(frozen=True, slots=True)
class Target:
    """The function that is called, on an object with a state."""

    module: Module
    owner: TypeDef
    function: FunctionDef
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.module.name}.{self.function.original or 'constructor'}"


async def call_function(ctx: Context, target: Target, given: dict[str, Any]) -> Any:
    """The JSON that a function answers. `given` are canonical arguments by schema name."""
    inputs = await _inputs(ctx, target, given)
    given_calls = list(calls_in(ctx.engine, [target.state, *(to_json(ctx.engine, value) for _, value in inputs)]))
    key = await _key(ctx, target, inputs)
    seconds = lifetime(target.function) if target.module.needs_source().needs_config().caches else 0.0
    if seconds and (stored := ctx.engine.store.result(key.digest)) is not None:
        with contextlib.suppress(LookupError):
            value = restored(ctx.engine, stored.value, given_calls)
            _emit(ctx, "call", target, key, verdict="hit")
            return value
    call = FunctionCall(
        target.owner.original,
        target.function.original,
        target.state,
        tuple((name, to_json(ctx.engine, value)) for name, value in inputs),
    )
    async with _told(ctx, target, key) as told:
        value = await run_call(told, target.module, call, target.label)
    if seconds:
        await asyncio.to_thread(_save, ctx, key, value, given_calls, seconds)
    return value


async def run_call(ctx: Context, module: Module, call: FunctionCall, label: str) -> Any:
    """Run the module's process for one call; its answer as JSON. Raises what it raised."""
    from sealane_engine.modules.serve import serve, show_own_types

    runtime: Runtime = await _runtime(ctx, module)
    client = ctx.engine.new_client(
        parent=ctx.client.id, namespace=f"module:{module.needs_source().needs_config().name}", call=call, module=module
    )
    for each in module.dependencies:
        serve(ctx.engine, client, each, entrypoint=False)
    show_own_types(ctx.engine, client, module)
    env = {"TRACEPARENT": ctx.client.traceparent} if ctx.client.traceparent else {}
    warm = await ctx.engine.modules.warm(module.digest, lambda: Warm.start(ctx.engine, runtime, ctx.asker))
    ended = await ctx.engine.modules.until(call.done, warm.call(client, env))
    if call.error is not None:
        raise _error(call.error)
    if not call.answered:
        code, _, stderr = ended
        if code:
            raise EngineError(
                f'the process of function "{label}" ended with exit code {code}',
                reason="function-ended",
                hint=_tail(stderr),
            )
        raise EngineError(f'function "{label}" completed without returning a value', reason="no-return-value")
    return call.value


def lifetime(function: FunctionDef) -> float:
    """For how many seconds an answer is kept; 0: not at all beyond this session."""
    if function.policy != "Default":
        return 0.0
    return parse_duration(function.ttl, WEEK)


async def _runtime(ctx: Context, module: Module) -> Runtime:
    """One runtime per module and engine."""
    from sealane_engine.modules.runtime import make_runtime

    return await ctx.engine.modules.runtime(module.digest, lambda: make_runtime(ctx, module))


async def _inputs(ctx: Context, target: Target, given: dict[str, Any]) -> list[tuple[str, Any]]:
    """Arguments by their registered names: given, else found where the module is, else the module's default."""
    inputs: list[tuple[str, Any]] = []
    for argument in target.function.args:
        if argument.name in given:
            inputs.append((argument.original, given[argument.name]))
        elif argument.contextual:
            inputs.append((argument.original, await _contextual(ctx, target.module, argument)))
        elif argument.default is not None:
            inputs.append((argument.original, json.loads(argument.default)))
    return inputs


async def _contextual(ctx: Context, module: Module, argument: ArgDef) -> Call:
    """What a default path or address names, or the workspace, as a call of the module's owner."""
    source = module.user or module.needs_source()
    owner = source.client
    if argument.is_workspace:
        owner = ctx.engine.main
        scope = f"{owner.id}:{len(owner.extra.get('served', ()))}"
        found = Call.make(None, "Workspace", "currentWorkspace", scope=scope)
    elif argument.default_address:
        address = Call.make(None, "Address", "address", {"value": argument.default_address}, scope=owner.id)
        kind = argument.type.name
        filters = {"exclude": argument.ignore} if argument.ignore and kind == "Directory" else {}
        found = Call.make(address, kind, kind[:1].lower() + kind[1:], filters)
    else:
        found = _at_default_path(source, argument)
    await ctx.engine.resolver.evaluate(owner, found)
    return found


def _at_default_path(source: ModuleSource, argument: ArgDef) -> Call:
    """From the context's top, or beside the module's dagger.json; a repository is the one that lies there."""
    path = argument.default_path
    place = posixpath.normpath(
        path.lstrip("/") or "." if path.startswith("/") else posixpath.join(source.subpath, path)
    )
    kind = argument.type.name
    if kind in ("Directory", "File"):
        return source.ground.call(kind, place, argument.ignore)
    if kind in ("GitRepository", "GitRef"):
        repository = Call.make(source.ground.call("Directory", place, ()), "GitRepository", "asGit")
        return repository if kind == "GitRepository" else Call.make(repository, "GitRef", "head")
    raise InvalidInput(
        f"a default path for a {kind} isn't supported (argument {argument.original!r})",
        reason="default-path-type",
        hint="pass the argument",
    )


async def _key(ctx: Context, target: Target, inputs: list[tuple[str, Any]]) -> Key:
    contents = Contents(ctx.engine, ctx.asker)
    pins = ctx.engine.options.pins.digest
    return make_key(
        "function",
        {
            **({"lock": pins} if pins else {}),
            "module": target.module.digest,
            "function": f"{target.owner.original}.{target.function.original}",
            "state": await contents.of_state(target.state),
            "inputs": [[name, await contents.of(value)] for name, value in inputs],
        },
    )


def _save(ctx: Context, key: Key, value: Any, given: list[Call], seconds: float) -> None:
    """Keep an answer, unless it depends on a secret that exists in this session only."""
    named = calls_in(ctx.engine, value)
    if any(part.field == "setSecret" for call in named for part in in_order(call)):
        return
    kept = saved(ctx.engine, value, given)
    ctx.engine.store.put_result(key.digest, "function", kept, inputs=key.inputs, expires=time.time() + seconds)


@contextlib.asynccontextmanager
async def _told(ctx: Context, target: Target, key: Key) -> AsyncIterator[Context]:
    """Tell of a call's begin and end; what is asked for within says the call as its parent."""
    _emit(ctx, "call", target, key, verdict="miss")
    begun, error = time.monotonic(), "cancelled"
    try:
        parent = traceparent_of(ctx.client.traceparent, key.digest)
        yield replace(ctx, client=replace(ctx.client, traceparent=parent))
        error = ""
    except Exception as problem:
        error = str(problem)
        raise
    finally:
        _emit(ctx, "call-end", target, key, seconds=round(time.monotonic() - begun, 3), error=error)


def _emit(ctx: Context, kind: str, target: Target, key: Key, **data: Any) -> None:
    function = target.function.original or "constructor"
    ctx.engine.events.emit(kind, ctx.client, key=key.digest, module=target.module.name, function=function, **data)


def _error(error: ErrorObject) -> EngineError:
    """A module's error as ours: a failed command stays a failed command."""
    values = error.extensions()
    if values.get("_type") == "EXEC_ERROR" and values.keys() >= _EXEC_ERROR:
        return ExecError(
            tuple(values["cmd"]), int(values["exitCode"]), values["stdout"], values["stderr"], error.message
        )
    return FunctionFailed(error.message, values)


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_SHOWN_LINES:])
