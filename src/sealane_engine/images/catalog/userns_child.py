"""Enter a new user namespace, wait until the parent has written its id maps, become its root, then run a command there.

Run as a script: `python -I userns_child.py READY_FD GO_FD EMULATOR COMMAND…`. It has no imports of ours: a clean, quick start.
"""

import ctypes
import os
import shutil
import sys

CLONE_NEWUSER = 0x1000_0000
CLONE_NEWNS = 0x2_0000
PR_SET_PDEATHSIG = 1
SIGKILL = 9


def main() -> None:
    ready, go, emulator = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
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
    if emulator:
        register(libc, emulator)
    # After the switch of ids, which clears it: nothing outlives the engine.
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    # Own mounts and processes: what is left over when the command ends is gone with them.
    flags = ("--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc", "--")
    os.execv(unshare, ("unshare", *flags, *sys.argv[4:]))  # noqa: S606 - a list of arguments, no shell


def register(libc: ctypes.CDLL, line: str) -> None:
    """In this user namespace's own binfmt_misc, which lasts as long as this mount does."""
    place = b"/proc/sys/fs/binfmt_misc"
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", place, b"binfmt_misc", 0, None) != 0:
        sys.exit(f"E: no binfmt_misc for the emulator: {os.strerror(ctypes.get_errno())}")
    # Not by open(): the files of its encodings may be out of reach by now.
    fd = os.open(place + b"/register", os.O_WRONLY)
    os.write(fd, line.encode())
    os.close(fd)


main()
