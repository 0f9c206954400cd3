"""Becomes the engine inside a user namespace of its own: unshare, say so, wait for the id maps, exec.

    python -m sealane_engine.rootless READY_FD GO_FD COMMAND...

Writes one byte to READY_FD once the namespace exists; reads one byte from GO_FD once its maps are written.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
_HINT = (
    "This machine forbids user namespaces to ordinary users. Allow them (sysctl kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0), run as root, or use --engine dagger."
)


def main(arguments: list[str]) -> None:
    ready, go, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
        reason = os.strerror(ctypes.get_errno())
        told = {"error": f"no user namespace could be made: {reason}", "reason": "no-user-namespace", "hint": _HINT}
        sys.exit(json.dumps(told))
    os.write(ready, b"1")
    os.close(ready)
    if os.read(go, 1) != b"1":
        sys.exit(1)  # whoever started us has given up, and says why
    os.close(go)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    os.execv(command[0], command)  # noqa: S606 - the engine takes our place


if __name__ == "__main__":
    main(sys.argv[1:])
