"""What engine and launcher say to each other: plain tuples, written with marshal (both ends are one interpreter).

On the control socket (engine → launcher), one packet each:
    (START, id) with descriptors payload, reply, stdin, stdout, stderr; the payload is a memory file with a Start
    (EXEC, id)  the same; the payload is an Exec
    (SIGNAL, id, number)
On a sandbox's reply socket:
    launcher → engine   (STARTED, pid), later (EXITED, code, oom)
    sandbox → engine    (READY, stubs) when its mounts are made; (FAILED, errno, text) at any time before exec
    engine → sandbox    one byte: go
    sandbox → engine    (RUNNING,) when a runtime has started the command
    init → engine       (FROZEN, code) when all processes have ended and nothing can write to the stagings any more
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sealane_engine.sandbox.plan import Command, Plan

START, EXEC, SIGNAL = 1, 2, 3
STARTED, READY, FAILED, RUNNING, EXITED, FROZEN = 11, 12, 13, 14, 15, 16
OVERLAY, BIND, TMPFS, CONTENT = 21, 22, 23, 24

GO = b"g"
PACKET = 1 << 17
"""More than the longest packet; what can be long (a plan) goes through a memory file."""


class WireCommand(NamedTuple):
    """A Command, and what of its plan holds for it; strings are bytes already, `env` is in its final order."""

    args: tuple[bytes, ...]
    env: dict[bytes, bytes]
    cwd: bytes
    uid: int
    gid: int
    groups: tuple[int, ...]
    privileged: bool
    processes: int | None


class WireMount(NamedTuple):
    """A Mount. `source` is (lowers, staging), a path, (size, mode) or (data, mode, uid, gid), by `kind`."""

    target: bytes
    kind: int
    source: Any
    read_only: bool


class Start(NamedTuple):
    """A Plan. `runtime` and `runc`: for the second backend, runc's path and its JSON configuration; else empty."""

    lowers: tuple[str, ...]
    staging: str | None
    mounts: tuple[WireMount, ...]
    command: WireCommand
    hostname: str
    no_init: bool
    memory: int | None
    handshake: bool
    runtime: str
    runc: bytes
    emulator: str


class Exec(NamedTuple):
    """One more command inside the sandbox with this id."""

    sandbox: int
    command: WireCommand


def encode(message: tuple[Any, ...]) -> bytes:
    return marshal.dumps(_plain(message))


def decode(data: bytes) -> Any:
    return marshal.loads(data)  # noqa: S302 (only ever from our own engine, over a socket that it made)


def _plain(value: Any) -> Any:
    """Named tuples become tuples, at any depth; marshal knows only exact types."""
    if isinstance(value, tuple):
        return tuple([_plain(item) for item in value])
    return value


def _command(raw: Any) -> WireCommand:
    return WireCommand(*raw)


def decode_start(data: bytes) -> Start:
    start = Start(*decode(data))
    return start._replace(mounts=tuple([WireMount(*mount) for mount in start.mounts]), command=_command(start.command))


def decode_exec(data: bytes) -> Exec:
    sandbox, command = decode(data)
    return Exec(sandbox, _command(command))


def wire_command(command: Command, plan: Plan) -> WireCommand:
    groups = command.groups if command.gid in command.groups else (command.gid, *command.groups)
    return WireCommand(
        args=tuple([_bytes(arg) for arg in command.args]),
        env={_bytes(name): _bytes(value) for name, value in command.env},
        cwd=_bytes(command.cwd),
        uid=command.uid,
        gid=command.gid,
        groups=groups,
        privileged=plan.privileged,
        processes=plan.limits.pids,
    )


def wire_start(plan: Plan, *, handshake: bool, runtime: tuple[str, bytes]) -> Start:
    return Start(
        lowers=plan.root.lowers,
        staging=plan.root.staging,
        mounts=tuple([WireMount(_bytes(m.target), *_source(m.source), m.read_only) for m in plan.mounts]),
        command=wire_command(plan.command, plan),
        hostname=plan.hostname,
        no_init=plan.no_init,
        memory=plan.limits.memory_bytes,
        handshake=handshake,
        runtime=runtime[0],
        runc=runtime[1],
        emulator=plan.emulator,
    )


def _source(source: Any) -> tuple[int, Any]:
    match type(source).__name__:
        case "Overlay":
            return OVERLAY, (source.lowers, source.staging)
        case "Bind":
            return BIND, source.source
        case "Tmpfs":
            return TMPFS, (source.size, source.mode)
        case "Content":
            return CONTENT, (source.data, source.mode, source.uid, source.gid)
        case other:
            raise TypeError(f"no such mount source: {other}")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
