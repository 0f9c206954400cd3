"""Enter a new user namespace, wait until the parent has written its id maps, become its root, then run a command there.

Run as a script: `python -I userns_child.py READY_FD GO_FD COMMAND…`. It has no imports of ours: a clean, quick start.
"""

import ctypes
import os
import shutil
import sys

CLONE_NEWUSER = 0x1000_0000
PR_SET_PDEATHSIG = 1
SIGKILL = 9


def main() -> None:
    ready, go = int(sys.argv[1]), int(sys.argv[2])
    libc = ctypes.CDLL(None, use_errno=True)
    # Found and loaded before the switch: the new ids may not be able to read this interpreter's own files.
    unshare = shutil.which("unshare") or "/usr/bin/unshare"
    if libc.unshare(CLONE_NEWUSER) != 0:
        os.write(ready, os.strerror(ctypes.get_errno()).encode())
        sys.exit(1)
    os.close(ready)
    if os.read(go, 1) != b"1":
        sys.exit(1)
    os.close(go)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    # After the switch of ids, which clears it: nothing outlives the engine.
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    # Own mounts and processes: what is left over when the command ends is gone with them.
    flags = ("--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc", "--")
    os.execv(unshare, ("unshare", *flags, *sys.argv[3:]))  # noqa: S606 - a list of arguments, no shell


main()
