"""The launcher in a user namespace of an ordinary user, with its ids from a range of subordinate ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sealane_engine
from sealane_engine.sandbox import BACKENDS
from sealane_engine.sandbox.ids import ROOT_RANGE

USER = 1000

ENGINE = """
import asyncio, os, sys
from pathlib import Path
from sealane_engine.sandbox import open_backend
from sealane_engine.sandbox.ids import ROOTLESS_RANGE
from sealane_engine.sandbox.plan import Command, Content, Mount, Overlay, Plan

SCRIPT = '''
id -u; cat /run/s; cat /proc/1/comm; head -1 /proc/self/uid_map | awk "{print \\\\$1, \\\\$3}"; echo 1 > /made
chown 33:33 /made; echo x > /dev/stdout
echo x > /proc/sys/kernel/core_pattern || echo refused
'''

async def main(name, home, layer, staging):
    null = os.open("/dev/null", os.O_RDONLY)
    async with open_backend(name, home=Path(home), ids=ROOTLESS_RANGE) as backend:
        plan = Plan(
            Overlay((layer,), staging),
            Command(("sh", "-c", SCRIPT), env=(("PATH", "/usr/bin:/bin"),)),
            (Mount("/run/s", Content(b"secret\\n")),),
        )
        read, write = os.pipe()
        process = await backend.start(plan, stdin=null, stdout=write, stderr=2)
        os.close(write)
        code = (await process.wait()).code
        os.write(1, os.read(read, 65536))
        sys.exit(code)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.needs("root")  # only for making the ids: the engine below has none of root's power
@pytest.mark.parametrize("backend", [pytest.param(n, marks=pytest.mark.needs(*{n} - {"launcher"})) for n in BACKENDS])
def test_a_step_runs_without_root(debian, backend):
    staging = debian.staging("rootless")
    (debian.home / "r").mkdir(exist_ok=True)
    python = interpreter()
    done = as_user(python, [python, "-c", ENGINE, backend, str(debian.home), debian.layer, staging])
    assert done.stdout.split() == ["0", "secret", ".init", "0", "65536", "x", "refused"], done
    assert done.returncode == 0
    assert (debian.home / staging / "fs/made").stat().st_uid == ROOT_RANGE.outer(33)


def interpreter() -> str:
    """One that USER can run: ours may be in root's home."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        try:
            version = "import sys; sys.exit(sys.version_info < (3, 11))"
            subprocess.run([candidate, "-c", version], user=USER, group=USER, extra_groups=(), check=True, cwd="/")
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip("needs: a Python 3.11 that an ordinary user can run")


def as_user(python: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command as root of a user namespace that maps 0 to USER and 1 on to the range of steps."""
    (ready, made), (released, go) = os.pipe(), os.pipe()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(sealane_engine.__file__).parent.parent)}
    starter = subprocess.Popen(
        [python, "-m", "sealane_engine.rootless", str(made), str(released), *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, user=USER, group=USER, extra_groups=(),
        env=environment, pass_fds=(made, released),
    )  # fmt: skip
    os.close(made)
    os.close(released)
    try:
        assert os.read(ready, 1) == b"1", starter.communicate()
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{starter.pid}/{name}").write_text(f"0 {USER} 1\n1 {ROOT_RANGE.base} {ROOT_RANGE.count}\n")
        os.write(go, b"1")
    finally:
        os.close(ready)
        os.close(go)
    out, err = starter.communicate()
    return subprocess.CompletedProcess(command, starter.returncode, out, err)
