"""The second backend: runc behind the same mount plan. Our launcher makes namespaces and mounts, runc the process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Self

from sealane_engine.errors import HostError
from sealane_engine.linux.capabilities import NAMES
from sealane_engine.sandbox import seccomp
from sealane_engine.sandbox.launcher import command, runtime, system, wire
from sealane_engine.sandbox.launcher.client import Launcher

if TYPE_CHECKING:
    from pathlib import Path

    from sealane_engine.events import Events
    from sealane_engine.sandbox.ids import IdRange
    from sealane_engine.sandbox.plan import Plan

_SAFE = (1, 2, 8)
"""The first version with the fixes of November 2025 (CVE-2025-31133, -52565, -52881)."""

_ERRNO = "SCMP_ACT_ERRNO"


class Runc(Launcher):
    """The `runc` backend. Runs as root of the step's user namespace only, never of the host's."""

    name = "runc"

    def __init__(self, home: Path, ids: IdRange, events: Events | None = None) -> None:
        super().__init__(home, ids, events)
        self._binary = ""

    async def __aenter__(self) -> Self:
        self._binary = find_runc()
        version = runc_version(self._binary)
        if version < _SAFE and self._events is not None:
            text = ".".join(map(str, version))
            self._events.emit(
                "warning",
                message=f"runc {text} lacks fixes of November 2025; {'.'.join(map(str, _SAFE))} has them",
                reason="old-runc",
            )
        return await super().__aenter__()

    def _runtime(self, plan: Plan) -> tuple[str, bytes]:
        return self._binary, json.dumps(configuration(plan)).encode()


def find_runc() -> str:
    found = shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise HostError("runc isn't installed", reason="no-runc", hint="install the package runc, or use the launcher")
    return found


def runc_version(binary: str) -> tuple[int, ...]:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    numbers = re.search(r"runc version (\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(number) for number in numbers.groups()) if numbers else (0,)


def configuration(plan: Plan) -> dict[str, Any]:
    """The OCI runtime configuration of a plan whose root and mounts are made already."""
    wired = wire.wire_command(plan.command, plan)
    namespaces = [{"type": "mount"}]
    mounts = [{"destination": "/dev", "type": "bind", "source": runtime.DEV, "options": ["rbind"]}]
    if plan.no_init:  # then the command is pid 1 of a namespace inside the one of our init
        namespaces.append({"type": "pid"})
        options = ["nosuid", "noexec", "nodev"]
        mounts.append({"destination": "/proc", "type": "proc", "source": "proc", "options": options})
    linux: dict[str, Any] = {"namespaces": namespaces, "seccomp": seccomp_profile(privileged=plan.privileged)}
    if not plan.privileged:
        linux["maskedPaths"] = [path.decode() for path in system.MASKED]
        linux["readonlyPaths"] = [path.decode() for path in system.READ_ONLY]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": runtime.ROOT, "readonly": plan.root.staging is None},
        "mounts": mounts,
        "process": {
            "terminal": False,
            "user": {"uid": wired.uid, "gid": wired.gid, "additionalGids": list(wired.groups), "umask": 0o022},
            "args": list(plan.command.args),
            "env": [f"{name}={value}" for name, value in plan.command.env],
            "cwd": plan.command.cwd,
            "capabilities": _capabilities(privileged=plan.privileged),
            "noNewPrivileges": False,
        },
        "linux": linux,
    }


def _capabilities(*, privileged: bool) -> dict[str, list[str]]:
    names = [f"CAP_{name}" for name in (NAMES if privileged else command.CAPABILITIES)]
    return {"bounding": names, "effective": names, "permitted": names, "inheritable": [], "ambient": []}


def seccomp_profile(*, privileged: bool) -> dict[str, Any]:
    """Our deny list in the runtime's words; runc compiles it with libseccomp."""
    denied = seccomp.DENIED_ALWAYS if privileged else seccomp.DENIED | seccomp.DENIED_ALWAYS

    def rule(names: list[str], errno: int, *args: dict[str, Any]) -> dict[str, Any]:
        return {"names": names, "action": _ERRNO, "errnoRet": errno, "args": list(args)}

    def equals(index: int, value: int) -> dict[str, Any]:
        return {"index": index, "value": value, "op": "SCMP_CMP_EQ"}

    rules = [rule(list(denied), seccomp.EPERM), rule(["socketcall"], seccomp.ENOSYS)]
    rules.append(rule(["socket"], seccomp.EAFNOSUPPORT, equals(0, seccomp.AF_VSOCK)))
    low = 0xFFFFFFFF  # the kernel looks only at this half of a terminal request
    rules += [rule(["ioctl"], seccomp.EPERM, _masked(1, low, request)) for request in seccomp.TERMINAL_REQUESTS]
    if not privileged:
        rules.append(rule(["clone3"], seccomp.ENOSYS))
        for flag in (1 << bit for bit in range(32) if seccomp.NEW_NAMESPACES >> bit & 1):
            names = ["unshare"] if flag <= 0xFF else ["clone", "unshare"]
            rules.append(rule(names, seccomp.EPERM, _masked(0, flag, flag)))
    architectures = {"x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}.get(os.uname().machine, ["SCMP_ARCH_AARCH64"])
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": architectures, "syscalls": rules}


def _masked(index: int, mask: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
