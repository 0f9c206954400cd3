"""What is done differently on kernels before ours, tried on this one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from sealane_engine.linux import libc, mounts, namespaces
from sealane_engine.sandbox.launcher import root

home, layer, staging = sys.argv[1:]
namespaces.unshare(namespaces.NEWNS)
libc.call("mount", None, b"/", None, mounts.MS_REC | mounts.MS_PRIVATE, None)
os.chdir(home)
os.makedirs(root.ANCHOR, exist_ok=True)
before = open("/proc/self/mountinfo").read()
mount = mounts.new
def new(kind, options, **kwargs):  # as Linux 6.7: lowers in one string only
    if any(key == "lowerdir+" for key, _ in options):
        raise OSError(22, "Invalid argument", "overlay")
    return mount(kind, options, **kwargs)
mounts.new = new
fd = root.overlay((layer,), staging)
assert open("/proc/self/mountinfo").read() == before
os.close(os.open("made", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
print(*sorted(os.listdir(f"/proc/self/fd/{fd}")))
"""


@pytest.mark.needs("root")
def test_an_overlay_is_made_with_the_older_call(debian):
    staging = debian.staging("old")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(debian.home), debian.layer, staging],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {"etc", "usr", "made"} <= set(done.stdout.split())
    assert (debian.home / staging / "fs/made").exists()
