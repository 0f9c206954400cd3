"""A bundle for runc that confines a command as Docker's defaults do: capabilities, masked paths, system calls.

Facts from docs.docker.com ("Seccomp security profiles for Docker", the table of blocked calls; "Linux kernel
capabilities") and from the OCI runtime's defaults. The calls of the mount interface of Linux 5.2 are blocked as mount is.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

_CAPABILITIES = "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
_BLOCKED = (
    "acct add_key bpf clock_adjtime clock_settime delete_module finit_module fsconfig fsmount fsopen fspick init_module "
    "ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind mount mount_setattr move_mount move_pages "
    "name_to_handle_at open_by_handle_at open_tree perf_event_open pivot_root process_vm_readv process_vm_writev ptrace "
    "quotactl reboot request_key set_mempolicy setns settimeofday swapoff swapon umount2 unshare userfaultfd"
)
_NEW_NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
_MASKED = (
    "/proc/asound /proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats "
    "/proc/sched_debug /proc/scsi /sys/firmware /sys/devices/virtual/powercap"
)
_READ_ONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger"


def bundle(place: Path, words: list[str], environ: dict[str, str], folder: Path, *, filtered: bool) -> None:
    """Write the bundle: this machine's files, read only; `folder` is where the command runs, and may be written."""
    root = place / "rootfs"
    root.mkdir(parents=True)
    mounts: list[dict[str, Any]] = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    ]
    for path in sorted(Path("/").iterdir()):
        if path.is_symlink():
            (root / path.name).symlink_to(path.readlink())
        elif path.is_dir() and path.name not in ("proc", "sys", "dev", "run", "lost+found"):
            mounts.append(_bound(path, "rw" if path in folder.parents else "ro"))
    capabilities = [f"CAP_{name}" for name in _CAPABILITIES.split()]
    process = {
        "user": {"uid": 0, "gid": 0},
        "args": words,
        "cwd": str(folder),
        "env": [f"{name}={value}" for name, value in environ.items()],
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
    }
    linux: dict[str, Any] = {
        "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")],
        "maskedPaths": _MASKED.split(),
        "readonlyPaths": _READ_ONLY.split(),
    }
    if filtered:
        linux["seccomp"] = _filter()
    made = {"ociVersion": "1.0.2", "process": process, "root": {"path": "rootfs"}, "mounts": mounts, "linux": linux}
    (place / "config.json").write_text(json.dumps(made))


def _bound(path: Path, mode: str) -> dict[str, Any]:
    return {"destination": str(path), "source": str(path), "type": "bind", "options": ["bind", mode]}


def _filter() -> dict[str, Any]:
    refused = {"action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    namespaces = [
        {**refused, "names": ["clone"], "args": [{"index": 0, "value": f, "valueTwo": f, "op": "SCMP_CMP_MASKED_EQ"}]}
        for f in _NEW_NAMESPACES
    ]
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": [f"SCMP_ARCH_{platform.machine().upper()}"],
        "syscalls": [
            {**refused, "names": _BLOCKED.split()},
            {"action": "SCMP_ACT_ERRNO", "errnoRet": 38, "names": ["clone3"]},
            *namespaces,
        ],
    }
