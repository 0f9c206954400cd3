"""Handing the command of a sandbox over to runc, which then does the last part: pivot, capabilities, filter, exec.

runc runs inside the sandbox's user, pid and mount namespaces (so it has no power over the host), beside our init. It
starts the command detached and ends; the command becomes our init's child, and init follows it into its mount namespace.
"""

from __future__ import annotations

import os
import signal
import stat
from typing import TYPE_CHECKING

from sealane_engine.linux import mounts, namespaces
from sealane_engine.sandbox.launcher import command, init

if TYPE_CHECKING:
    from sealane_engine.sandbox.launcher.targets import Root
    from sealane_engine.sandbox.launcher.wire import Start

PLACE = "/tmp"  # noqa: S108 (covered by a tmpfs of our own, in this mount namespace only)
"""Where the bundle is, in the sandbox's outer mount namespace."""

ROOT, DEV = f"{PLACE}/root", f"{PLACE}/dev"


def prepare(start: Start) -> str:
    """Make the bundle, and answer where the root has to be attached."""
    _cover(PLACE, mounts.new("tmpfs", [("mode", "0711"), ("size", "4m")]))
    _cover("/proc", mounts.new("proc", []))  # runc looks up processes by the numbers they have here
    for name in ("root", "state", "dev"):
        os.mkdir(f"{PLACE}/{name}", 0o755)
    fd = os.open(f"{PLACE}/config.json", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    os.write(fd, start.runc)
    os.close(fd)
    return ROOT


def _cover(path: str, mount: int) -> None:
    target = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mounts.attach(mount, target)
    os.close(target)
    os.close(mount)


def launch(built: Root, start: Start) -> int:
    """Start the command; answers its pid, a child of this process. Its standard streams are ours."""
    # runc binds /dev by a path of the host's side, where a link in the image named /dev would lead astray.
    dev = built.open(b"/dev")
    _cover(DEV, mounts.clone_tree(at=dev, recursive=True))
    os.close(dev)
    runner = namespaces.fork()
    if runner == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.closerange(3, command.OPEN_FILES)
        command.set_limits(start.command.processes)
        flags = ["--root", f"{PLACE}/state", "--log", f"{PLACE}/log", "run", "--detach", "--no-new-keyring"]
        arguments = [start.runtime, *flags, "--bundle", PLACE, "--pid-file", f"{PLACE}/pid", "step"]
        os.execve(start.runtime, arguments, {"PATH": os.defpath, "XDG_RUNTIME_DIR": PLACE})  # noqa: S606
    _, status = os.waitpid(runner, 0)
    if init.exit_code(status):
        raise OSError(0, f"runc: {_last_words()}")
    with open(f"{PLACE}/pid", encoding="ascii") as file:
        pid = int(file.read())
    _follow(built, start, pid)
    return pid


def _follow(built: Root, start: Start, pid: int) -> None:
    """Into the command's namespaces: `exec` looks for them at init, and init has no business on the host's side."""
    pidfd = os.pidfd_open(pid)
    try:
        if start.no_init:
            namespaces.enter(pidfd, namespaces.NEWPID)
        namespaces.enter(pidfd, namespaces.NEWNS)
    except ProcessLookupError:  # it has ended already
        built.pivot()
    finally:
        os.close(pidfd)


def _last_words() -> str:
    try:
        with open(f"{PLACE}/log", encoding="utf-8", errors="replace") as file:
            return file.read().strip()[-2000:] or "no message"
    except OSError:
        return "no message"


def find(root: Root, start: Start) -> None:
    """Fail as our own launcher does if the command isn't there or may not be executed; runc's words are others."""
    name = start.command.args[0]
    if b"/" in name or not name:
        path = name if name.startswith(b"/") else start.command.cwd + b"/" + name
        try:
            executable = _executable(root, path)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            command.complain(b"fork/exec %b: %b" % (name, (reason[:1].lower() + reason[1:]).encode()))
        if not executable:
            command.complain(b"fork/exec %b: permission denied" % name)
        return
    for directory in start.command.env.get(b"PATH", b"").split(b":"):
        try:
            if _executable(root, (directory or start.command.cwd) + b"/" + name):
                return
        except OSError:
            continue
    command.complain(b'exec: "%b": executable file not found in $PATH' % name)


def _executable(root: Root, path: bytes) -> bool:
    fd = root.open(path)
    status = os.fstat(fd)
    os.close(fd)
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o111)
