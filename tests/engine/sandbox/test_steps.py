"""What a step sees, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from sealane_engine.errors import EngineError
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.sandbox.plan import Bind, Content, Mount, Overlay, Tmpfs

from .conftest import ENV, pipes, until


def test_dev_is_as_dagger_shows_it(in_sandboxes):
    expected = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"

    async def body(box):
        ran = await box.run("ls", "/dev")
        assert ran.out.split() == expected.split()
        ran = await box.sh("echo a >/dev/null && head -c 2 /dev/zero | od -An -tx1 && head -c1 /dev/urandom | wc -c")
        assert ran.out.split() == ["00", "00", "1"], ran

    in_sandboxes(body)


def test_pid_one_is_init_unless_told_otherwise(in_sandboxes):
    async def body(box):
        ran = await box.sh("cat /proc/1/comm; tr '\\0' ' ' </proc/1/cmdline")
        assert ran.out.split()[0] == ".init"
        assert (await box.sh("echo $$; cat /proc/1/comm", no_init=True)).out == "1\nsh\n"

    in_sandboxes(body)


def test_code_of_the_command_is_the_code_of_the_step(in_sandboxes):
    async def body(box):
        assert (await box.sh("exit 7")).code == 7
        assert (await box.sh("kill -9 $$")).code == 137
        assert (await box.sh("kill -9 $$", no_init=True)).code in {0, 137}  # pid 1 may ignore its own signals
        assert (await box.sh("exit 7", no_init=True)).code == 7

    in_sandboxes(body)


def test_missing_and_forbidden_commands_fail_in_dagger_s_words(in_sandboxes):
    async def body(box):
        missing = await box.run("/no/such/thing")
        assert (missing.code, missing.err) == (1, "fork/exec /no/such/thing: no such file or directory\n")
        forbidden = await box.run("/etc/passwd")
        assert (forbidden.code, forbidden.err) == (1, "fork/exec /etc/passwd: permission denied\n")
        unknown = await box.run("nothing-like-it")
        assert (unknown.code, unknown.err) == (1, 'exec: "nothing-like-it": executable file not found in $PATH\n')
        assert (await box.run("true", env=())).code == 1

    in_sandboxes(body)


def test_command_is_looked_up_in_the_path_of_its_own_environment(in_sandboxes):
    async def body(box):
        script = "#!/bin/sh\necho mine $A"
        mounts = (Mount("/opt/x/tool", Content(script.encode(), mode=0o755)),)
        # A content mount is noexec, so the tool is copied first.
        ran = await box.sh(
            "mkdir /opt/y; cp /opt/x/tool /opt/y/; PATH=/opt/y:$PATH exec tool", mounts=mounts, env=(*ENV, ("A", "1"))
        )
        assert ran.out == "mine 1\n", ran

    in_sandboxes(body)


def test_ids_groups_umask_session_and_descriptors(in_sandboxes):
    async def body(box):
        ran = await box.sh("id -u; id -g; id -G; umask; ls /proc/self/fd | wc -l", uid=1234, gid=5678, groups=(100,))
        assert ran.out.split() == ["1234", "5678", "5678", "100", "0022", "4"], ran  # 0-2, and ls's own
        assert (await box.sh("cut -d' ' -f1,6 /proc/self/stat; echo $$")).out.split()[1] != "0"

    in_sandboxes(body)


def test_output_can_be_opened_anew_by_any_user(in_sandboxes):
    async def body(box):
        for uid in (0, 1000):
            ran = await box.sh("echo out >/dev/stdout; echo err >/dev/stderr", uid=uid, gid=uid)
            assert (ran.code, ran.out, ran.err) == (0, "out\n", "err\n")

    in_sandboxes(body)


def test_changes_land_in_the_staging_and_stubs_are_told(in_sandboxes):
    async def body(box):
        mounts = (Mount("/run/secrets/token", Content(b"s3cret")), Mount("/data/cache", Tmpfs()))
        ran = await box.sh("cat /run/secrets/token; echo 1 > /made; rm /etc/motd; id > /data/cache/x", mounts=mounts)
        assert ran.out == "s3cret"
        assert set(ran.exit.stubs) == {"run/secrets", "run/secrets/token", "data", "data/cache"}
        order = [ran.exit.stubs.index(name) for name in ("data/cache", "data", "run/secrets/token", "run/secrets")]
        assert order[0] < order[1]
        assert order[2] < order[3]
        upper = box.debian.home / ran.root.staging / "fs"
        assert (upper / "made").read_text() == "1\n"
        assert (upper / "made").stat().st_uid == ROOT_RANGE.base
        assert stat.S_ISCHR((upper / "etc/motd").lstat().st_mode)
        assert (upper / "run/secrets/token").read_bytes() == b""
        assert list((upper / "data/cache").iterdir()) == []

    in_sandboxes(body)


def test_content_mounts_have_their_owner_and_mode(in_sandboxes):
    async def body(box):
        mounts = (Mount("/t", Content(b"x" * 19)), Mount("/u", Content(b"", mode=0o444, uid=65534, gid=7)))
        ran = await box.sh("stat -c '%a %u:%g %s' /t /u", mounts=mounts)
        assert ran.out.splitlines() == ["400 0:0 19", "444 65534:7 0"]

    in_sandboxes(body)


def test_bind_overlay_and_read_only_mounts(in_sandboxes):
    async def body(box):
        home = box.debian.home
        volume, layer, above = (box.debian.staging(name) for name in ("volume", "layer", "above"))
        (home / layer / "fs/a").write_text("a")
        (home / above / "fs/b").write_text("b")
        mounts = (
            Mount("/volume", Bind(f"{volume}/fs")),
            Mount("/one", Overlay((f"{layer}/fs",))),
            Mount("/two", Overlay((f"{layer}/fs", f"{above}/fs"))),
            Mount("/three", Overlay((f"{layer}/fs",), box.debian.staging("work"))),
            Mount("/four", Overlay((), box.debian.staging("scratch"))),
            Mount("/file", Bind(f"{layer}/fs/a"), read_only=True),
        )
        script = """
            echo v > /volume/v; ls /one /two; echo x > /one/x; echo x > /two/x; echo x > /file
            echo x > /three/x && ls /three; echo x > /four/x && ls /four; cat /file"""
        ran = await box.sh(script, mounts=mounts)
        assert ran.out.split() == ["/one:", "a", "/two:", "a", "b", "a", "x", "x", "a"], ran
        assert ran.err.count("Read-only file system") == 3
        assert (home / volume / "fs/v").read_text() == "v\n"

    in_sandboxes(body)


def test_root_without_staging_is_read_only_but_takes_mounts(in_sandboxes):
    async def body(box):
        ran = await box.sh(
            "cat /new/place; echo x > /x",
            root=Overlay((box.debian.layer,)),
            mounts=(Mount("/new/place", Content(b"y")),),
        )
        assert ran.out == "y"
        assert "Read-only file system" in ran.err
        assert not (box.debian.home / box.debian.layer / "new").exists()

    in_sandboxes(body)


def test_many_layers(in_sandboxes):
    async def body(box):
        layers = [f"{box.debian.staging('n')}/fs" for _ in range(150)]
        for number, layer in enumerate(layers):
            (box.debian.home / layer / "number").write_text(str(number))
        assert (await box.run("cat", "/number", root=box.debian.root("many", *layers))).out == "149"

    in_sandboxes(body)


def test_missing_working_directory_is_made(in_sandboxes):
    async def body(box):
        ran = await box.sh("pwd; stat -c '%a %u' .", cwd="/a/b", uid=1000, gid=1000)
        assert ran.out.split() == ["/a/b", "755", "0"]

    in_sandboxes(body)


def test_signals_reach_the_command(in_sandboxes):
    async def body(box):
        script = "trap 'echo got; exit 3' TERM; echo ready > /data/ready; while :; do sleep 0.05; done"
        volume = box.debian.staging("volume")
        plan = box.plan("sh", "-c", script, mounts=(Mount("/data", Bind(f"{volume}/fs")),))
        with pipes() as (stdin, stdout, stderr, read):
            process = await box.backend.start(plan, stdin=stdin, stdout=stdout, stderr=stderr)
            reading = asyncio.ensure_future(read())
            await until((box.debian.home / volume / "fs/ready").exists)
            await process.signal(signal.SIGTERM)
            assert (await process.wait()).code == 3
            assert (await reading)[0] == "got\n"
        await process.signal(signal.SIGTERM)  # after its end: nothing

    in_sandboxes(body)


def test_everything_ends_with_the_command(in_sandboxes):
    async def body(box):
        ran = await box.sh("setsid sh -c 'trap \"\" TERM HUP; sleep 1000' >/dev/null 2>&1 & exit 4")
        assert ran.code == 4
        assert b"sleep\x001000" not in b"".join(command_lines())

    in_sandboxes(body)


def test_kill_ends_a_step(in_sandboxes):
    async def body(box):
        with pipes() as (stdin, stdout, stderr, read):
            process = await box.backend.start(box.plan("sleep", "1001"), stdin=stdin, stdout=stdout, stderr=stderr)
            reading = asyncio.ensure_future(read())
            await process.kill()
            assert (await process.wait()).code == 137
            await reading

    in_sandboxes(body)


def test_exec_runs_in_the_same_sandbox_with_the_same_limits(in_sandboxes):
    async def body(box):
        with pipes() as (stdin, stdout, stderr, read):
            sandbox = await box.backend.start(
                box.plan("sh", "-c", "echo here > /here; exec sleep 1002", hostname="inner"),
                stdin=stdin, stdout=stdout, stderr=stderr,
            )  # fmt: skip
            reading = asyncio.ensure_future(read())
            script = (
                "while ! test -e /here; do sleep 0.01; done; cat /here; hostname; cat /proc/1/comm; id -u; pwd;"
                "grep -E 'CapEff|Seccomp:' /proc/self/status; exit 9"
            )
            command = box.plan("sh", "-c", script, uid=5, cwd="/tmp").command
            with pipes() as (stdin2, stdout2, stderr2, read2):
                process = await sandbox.exec(command, stdin=stdin2, stdout=stdout2, stderr=stderr2)
                out, err = await read2()
            assert out.split() == [
                "here",
                "inner",
                ".init",
                "5",
                "/tmp",
                "CapEff:",
                "0000000000000000",
                "Seccomp:",
                "2",
            ], (out, err)
            assert (await process.wait()).code == 9
            missing = box.plan("/nope").command
            with pipes() as (stdin3, stdout3, stderr3, read3):
                process = await sandbox.exec(missing, stdin=stdin3, stdout=stdout3, stderr=stderr3)
                assert (await read3())[1] == "fork/exec /nope: no such file or directory\n"
            with pipes() as (stdin4, stdout4, stderr4, read4):
                waiting = await sandbox.exec(
                    box.plan("sleep", "1003").command, stdin=stdin4, stdout=stdout4, stderr=stderr4
                )
                reading4 = asyncio.ensure_future(read4())
                await sandbox.kill()
                assert (await waiting.wait()).code == 137
                await reading4
            await reading

    in_sandboxes(body)


def test_engine_is_asked_before_the_command_runs(in_sandboxes):
    async def body(box):
        seen = []

        async def attach(pid):
            seen.append(network_of(pid))

        ran = await box.sh("readlink /proc/self/ns/net", before_exec=attach)
        assert ran.out.strip() == seen[0] != network_of("self")

        async def refuse(pid):
            raise EngineError("no network today", reason="no-net")

        with pytest.raises(EngineError, match="no network today"):
            await box.sh("echo ran", before_exec=refuse)

    in_sandboxes(body)


def test_ids_beyond_the_range_are_refused(in_sandboxes):
    async def body(box):
        with pytest.raises(EngineError) as error:
            await box.run("true", uid=65536)
        assert error.value.reason == "id-out-of-range"

    in_sandboxes(body)


def test_what_cannot_be_mounted_is_an_error_that_names_it(in_sandboxes):
    async def body(box):
        for mount in (Mount("/x", Bind("l/absent")), Mount("/etc/passwd/x", Tmpfs()), Mount("/etc/passwd", Tmpfs())):
            with pytest.raises(EngineError) as error:
                await box.run("true", mounts=(mount,))
            assert error.value.reason == "sandbox-setup"
            assert mount.target in str(error.value) or "l/absent" in str(error.value)
        assert (await box.run("true")).code == 0

    in_sandboxes(body)


def test_memory_and_process_limits(in_sandboxes):
    from sealane_engine.sandbox.launcher.cgroups import find
    from sealane_engine.sandbox.plan import Limits

    controllers = frozenset().union(*(hierarchy.controllers for hierarchy in find()))

    async def body(box):
        if "pids" in controllers:
            script = "i=0; while [ $i -lt 60 ]; do sleep 0.3 & i=$((i+1)); done; wait"
            assert "fork" in (await box.sh(script, limits=Limits(pids=40))).err
        if "memory" in controllers:
            limits = Limits(memory_bytes=48 << 20)
            ran = await box.sh("x=a; while :; do x=$x$x; done", limits=limits)
            assert (ran.code, ran.exit.oom) == (137, True)
            assert not (await box.sh("true", limits=limits)).exit.oom

    in_sandboxes(body)


def test_a_terminal_is_the_controlling_one(in_sandboxes):
    async def body(box):
        master, slave = os.openpty()
        try:
            # runc would want to make the terminal itself: there it is one, but not the controlling one.
            where = "/dev/tty" if box.backend.name == "launcher" else "/dev/stdout"
            plan = box.plan("sh", "-c", f"test -t 0 && echo tty > {where}", uid=7)
            process = await box.backend.start(plan, stdin=slave, stdout=slave, stderr=slave)
            assert (await process.wait()).code == 0
            assert os.read(master, 100) == b"tty\r\n"
        finally:
            os.close(master)
            os.close(slave)

    in_sandboxes(body)


def test_nothing_piles_up(in_sandboxes):
    async def body(box):
        def held() -> tuple[int, ...]:
            processes = ("self", box.backend.pid)
            descriptors = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in processes]
            return (*descriptors, *(len(Path(f"/proc/{pid}/mountinfo").read_text().splitlines()) for pid in processes))

        await box.run("true")
        before = held()
        await asyncio.gather(*(box.sh("exit 3", mounts=(Mount("/x", Tmpfs()),)) for _ in range(8)))
        for _ in range(8):
            await box.run("/absent")
        with suppress(EngineError):
            await box.run("true", mounts=(Mount("/x", Bind("l/absent")),))
        # The launcher closes its end of a sandbox a moment after it has told us of its end.
        await until(lambda: all(now <= then for now, then in zip(held(), before, strict=True)))

    in_sandboxes(body)


def network_of(pid: int | str) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def command_lines() -> list[bytes]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(path.read_bytes())
    return lines
