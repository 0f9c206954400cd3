"""What a step leaves is final when it has ended, also for descriptors that it handed to another sandbox."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.sandbox.plan import Bind, Mount

from .conftest import pipes, until

pytestmark = pytest.mark.timeout(60)

SENDMSG, RECVMSG, OPENAT = {"x86_64": (46, 47, 257)}.get(os.uname().machine, (211, 212, 56))

MESSAGE = f"""
sub SENDMSG {{ {SENDMSG} }}
sub RECVMSG {{ {RECVMSG} }}
sub message {{
    my $iov = pack("PQ", $data, 1);
    $held = $iov;
    return pack("QQ", 0, 0) . pack("PQ", $held, 1) . pack("PQ", $control, 24) . pack("Q", 0);
}}
socket(my $s, 1, 1, 0) or die "socket $!";
our ($data, $control, $held) = ("x", "\\0" x 24, "");
"""
SEND = (
    MESSAGE
    + """
connect($s, pack("Sa108", 1, "/shared/socket")) or die "connect $!";
$control = pack("Qlllx4", 20, 1, 1, fileno($file));
syscall(SENDMSG, fileno($s), message(), 0) == 1 or die "sendmsg $!";
sysread($s, my $answer, 1);
"""
)
RECEIVE = (
    MESSAGE
    + """
bind($s, pack("Sa108", 1, "/shared/socket")) or die "bind $!";
listen($s, 1);
mkdir "/shared/listening";
accept(my $c, $s);
syscall(RECVMSG, fileno($c), message(), 0) == 1 or die "recvmsg $!";
my $fd = unpack("x16l", $control);
syswrite($c, "k");
sleep 1 until -e "/shared/go";
"""
)


def handed(in_sandboxes, opening: str, use: str) -> tuple[bool, str, Path]:
    """A step hands `$file` to a service, which uses it (`$fd`) after the step's end; answers whether the step was frozen,
    what the service said and where the step's changes are.
    """

    async def body(sandboxes):
        volume = sandboxes.debian.staging("volume") + "/fs"
        home = sandboxes.debian.home
        mounts = (Mount("/shared", Bind(volume)),)
        plan = sandboxes.plan("perl", "-e", RECEIVE + use, mounts=mounts)
        with pipes() as (stdin, stdout, stderr, read):
            service = await sandboxes.backend.start(plan, stdin=stdin, stdout=stdout, stderr=stderr)
            reading = asyncio.ensure_future(read())
            await until((home / volume / "listening").exists)
            step = await sandboxes.run("perl", "-e", opening + SEND, mounts=mounts)
            assert (step.code, step.err) == (0, "")
            (home / volume / "go").touch()
            out, err = await reading
            await service.wait()
        return step.exit.frozen, out + err, home / step.root.staging / "fs"

    return in_sandboxes(body)


def test_what_is_still_open_for_writing_elsewhere_is_not_kept(in_sandboxes):
    opening = 'open(my $file, ">", "/kept"); syswrite($file, "one");'
    frozen, _, _ = handed(in_sandboxes, opening, 'open(my $f, ">&=", $fd); syswrite($f, "two");')
    assert not frozen


def test_a_directory_that_is_open_elsewhere_takes_nothing_more(in_sandboxes):
    opening = 'mkdir "/kept"; open(my $file, "<", "/kept");'
    use = f'my $name = "new"; print syscall({OPENAT}, $fd, $name, 0101, 0644) < 0 ? "refused: $!" : "made";'
    frozen, said, changes = handed(in_sandboxes, opening, use)
    assert (frozen, said) == (True, "refused: Read-only file system")
    assert not list((changes / "kept").iterdir())


def test_a_file_that_is_open_for_reading_elsewhere_is_not_opened_for_writing(in_sandboxes):
    opening = 'open(my $new, ">", "/kept"); syswrite($new, "one"); close($new); open(my $file, "<", "/kept");'
    use = 'print open(my $f, ">>", "/proc/self/fd/$fd") ? "opened" : "refused: $!";'
    frozen, said, changes = handed(in_sandboxes, opening, use)
    assert (frozen, said) == (True, "refused: Read-only file system")
    assert (changes / "kept").read_text() == "one"


@pytest.mark.parametrize("options", [{}, {"no_init": True}, {"privileged": True}])
def test_a_step_that_leaves_processes_and_open_files_behind_is_frozen(in_sandboxes, options):
    script = (
        "rm -f /gone; (exec 3>/gone; rm /gone; echo more >&3; exec sleep 1000) & (exec 4>/log; sleep 1000) & echo done"
    )

    async def body(sandboxes):
        step = await sandboxes.sh(script + " >/out", **options)
        assert (step.code, step.exit.frozen) == (0, True)
        changes = sandboxes.debian.home / step.root.staging / "fs"
        assert (changes / "out").read_text() == "done\n"
        assert (changes / "out").stat().st_uid == ROOT_RANGE.base

    in_sandboxes(body)


def test_a_step_that_is_killed_is_not_frozen(in_sandboxes):
    async def body(sandboxes):
        with pipes() as (stdin, stdout, stderr, read):
            plan = sandboxes.plan("sleep", "1000")
            process = await sandboxes.backend.start(plan, stdin=stdin, stdout=stdout, stderr=stderr)
            await process.kill()
            await read()
        assert not (await process.wait()).frozen

    in_sandboxes(body)
