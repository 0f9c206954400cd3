"""Programs of another architecture in a sandbox, and what is left of their emulator afterwards: nothing."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from sealane_engine.sandbox import emulation

pytestmark = [pytest.mark.needs("root", "qemu"), pytest.mark.timeout(120)]

ARM64 = emulation.MACHINES["arm64"]


def program(code: int) -> bytes:
    """A whole program for arm64 that exits with `code`: mov x0, #code; mov x8, #93; svc #0."""
    instructions = struct.pack("<III", 0xD2800000 | code << 5, 0xD2800000 | 93 << 5 | 8, 0xD4000001)
    address, size = 0x400000, 64 + 56 + len(instructions)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, ARM64.number, 1, address + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, address, address, size, size, 0x1000) + instructions


def test_a_foreign_program_runs_where_its_emulator_is_named(in_sandboxes):
    interpreter = emulation.find(ARM64)
    assert interpreter is not None
    line = emulation.registration("arm64", ARM64, interpreter)
    before = sorted(emulation.REGISTERED.iterdir())

    async def body(sandboxes):
        def root():
            made = sandboxes.debian.root()
            file = sandboxes.debian.home / made.staging / "fs/foreign"
            file.write_bytes(program(7))
            file.chmod(0o755)
            return made

        ran = await sandboxes.sh("/foreign; echo $?; ls /proc/sys/fs/binfmt_misc", root=root(), emulator=line)
        assert ran.out == "7\n"
        assert ran.exit.frozen
        ran = await sandboxes.sh("/foreign", root=root())
        assert "Exec format error" in ran.err

    in_sandboxes(body)
    assert sorted(emulation.REGISTERED.iterdir()) == before


def test_an_emulator_that_is_not_there_is_said(in_sandboxes):
    line = emulation.registration("arm64", ARM64, "/nowhere/qemu")

    async def body(sandboxes):
        with pytest.raises(Exception, match="No such file") as caught:
            await sandboxes.run("true", emulator=line)
        assert caught.value.reason == "sandbox-setup"

    in_sandboxes(body)


# A user namespace of the test's own stands for the whole machine: there, too, it must be undone.
OLD = """
import os
from sealane_engine.linux import binfmt
from sealane_engine.sandbox.emulation import Emulators

mounted = binfmt.mount()
killed = 2**22 + 1  # no process ever has this number
binfmt.register(mounted, f":sealane-s390x-{killed}:M::other::/x:")
emulators = Emulators("6.1.0-13-amd64")
assert emulators.line("linux/arm64") == emulators.line("linux/arm64") == ""
assert binfmt.names(mounted) == [f"sealane-arm64-{os.getpid()}"], binfmt.names(mounted)
emulators.close()
assert binfmt.names(mounted) == []
"""


def test_an_older_kernel_is_told_once_and_at_the_end_it_is_undone():
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", OLD],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
