"""A plan survives the way to the launcher."""

from __future__ import annotations

from sealane_engine.sandbox.launcher import wire
from sealane_engine.sandbox.plan import Bind, Command, Content, Limits, Mount, Overlay, Plan, Tmpfs


def test_a_plan_arrives_as_it_was_sent():
    plan = Plan(
        Overlay(("l/1", "l/2"), "s/x"),
        Command(("a", "\udcff"), env=(("A", "1"), ("B", "ü")), cwd="/w", uid=1, gid=2, groups=(3,)),
        mounts=(
            Mount("/o", Overlay(("l/3",))),
            Mount("/b", Bind("v/1"), read_only=True),
            Mount("/t", Tmpfs(5, 0o700)),
            Mount("/c", Content(b"\0secret", 0o440, 7, 8)),
        ),
        hostname="h",
        privileged=True,
        limits=Limits(9, 10),
        emulator=":arm64:M::magic:mask:/qemu:F",
    )
    start = wire.wire_start(plan, handshake=True, runtime=("/runc", b"{}"))
    arrived = wire.decode_start(wire.encode(start))
    assert arrived == start
    assert arrived.emulator == plan.emulator
    assert arrived.command.args == (b"a", b"\xff")
    assert list(arrived.command.env) == [b"A", b"B"]
    assert arrived.command.groups == (2, 3)
    assert [mount.kind for mount in arrived.mounts] == [wire.OVERLAY, wire.BIND, wire.TMPFS, wire.CONTENT]
    assert arrived.mounts[3].source == (b"\0secret", 0o440, 7, 8)


def test_an_exec_arrives_as_it_was_sent():
    plan = Plan(Overlay(()), Command(("x",)))
    request = wire.Exec(4, wire.wire_command(Command(("y",), uid=5), plan))
    assert wire.decode_exec(wire.encode(request)) == request


def test_content_is_not_shown():
    assert "hidden" not in repr(Mount("/c", Content(b"hidden")))
