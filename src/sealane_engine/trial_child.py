"""The child of `trial.py`: goes through what a sandbox does and prints `["step", "error or empty"]` lines.

Run as a script in a prepared folder: `python -I -S trial_child.py`. It imports nothing of ours, and everything it
needs before the ids change: the new ones may not be able to read this interpreter's files.
"""

import ctypes
import json
import os
import sys

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x1000_0000, 0x2000_0000, 0x4000_0000
SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_OPENAT2 = 428, 429, 437
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH, AT_FDCWD = 1, 4, -100
MS_REC, MS_PRIVATE = 0x4000, 0x4_0000

libc = ctypes.CDLL(None, use_errno=True)


def ok(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)
    return result


def user() -> None:
    ok(libc.unshare(CLONE_NEWUSER), "unshare")


def namespaces() -> None:
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWCGROUP
    ok(libc.unshare(flags), "unshare")
    ok(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "making the mounts private")


def overlay() -> None:
    """Mount it, change a file, delete a file, replace a folder: the last two need whiteouts and user.* xattrs."""
    options = b"userxattr,index=off,metacopy=off,lowerdir=lower,upperdir=upper,workdir=work"
    ok(libc.mount(b"overlay", b"root", b"overlay", 0, options), "mount")
    with open("root/file", "a") as file:
        file.write("upper\n")
    os.remove("root/file")
    os.rmdir("root/d")
    os.mkdir("root/d")
    if os.getxattr("upper/d", "user.overlay.opaque") != b"y":
        raise OSError(0, "user.overlay.opaque is not kept", "upper/d")


def mounts() -> None:
    """The calls that attach a mount by descriptor, with the path resolved inside a root."""
    tree = ok(libc.syscall(SYS_OPEN_TREE, AT_FDCWD, b"upper", OPEN_TREE_CLONE), "open_tree")
    how = (ctypes.c_uint64 * 3)(os.O_PATH, 0, 0x10)  # RESOLVE_IN_ROOT
    root = os.open("root", os.O_PATH)
    target = ok(libc.syscall(SYS_OPENAT2, root, b"/d", how, ctypes.sizeof(how)), "openat2")
    flags = MOVE_MOUNT_F_EMPTY_PATH | 0x40  # MOVE_MOUNT_T_EMPTY_PATH
    ok(libc.syscall(SYS_MOVE_MOUNT, tree, b"", target, b"", flags), "move_mount")


def proc() -> None:
    """Mount a fresh /proc, from inside the new pid namespace."""
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.mount(b"proc", b"proc", b"proc", 0, None) == 0 else ctypes.get_errno())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code) if code > 0 else "killed", "mount")


def main() -> None:
    for step in (user, namespaces, overlay, mounts, proc):
        error = ""
        try:
            step()
        except OSError as failure:
            error = f"{failure.filename}: {failure.strerror}"
        sys.stdout.write(json.dumps([step.__name__, error]) + "\n")
        sys.stdout.flush()
        if step is user:
            if error or sys.stdin.readline() != "go\n":
                return
        elif step is namespaces and error:
            return


main()
