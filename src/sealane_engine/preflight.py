"""What the engine checks before it starts, in a few milliseconds: Linux, the kernel's age, the system's tools.

What only a trial can tell is `doctor`'s.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from sealane_engine.errors import HostError

OLDEST_KERNEL = (6, 1)


@dataclass(frozen=True, slots=True)
class Tool:
    """A command of the system, and the Debian package that has it. What isn't `needed` is missed only when used."""

    command: str
    package: str
    purpose: str
    needed: bool = True
    rootless: bool = False


TOOLS = (
    Tool("pasta", "passt", "without it steps reach the network by relayed TCP connections alone", needed=False),
    Tool("newuidmap", "uidmap", "an engine that isn't root needs it for the ids of its steps", rootless=True),
    Tool("newgidmap", "uidmap", "an engine that isn't root needs it for the ids of its steps", rootless=True),
    Tool("mmdebstrap", "mmdebstrap", "base images are built with it when no registry can be reached", needed=False),
    Tool("qemu-aarch64-static", "qemu-user-static", "steps of other platforms are emulated by it", needed=False),
    Tool("git", "git", "git sources and patches need it", needed=False),
    Tool("runc", "runc", "only the second sandbox backend needs it", needed=False),
)


def check(
    home: Path,
    *,
    platform_name: str = sys.platform,
    release: str | None = None,
    path: str | None = None,
    rootless: bool | None = None,
) -> None:
    """Nothing when an engine with its store in `home` may start here.

    Raises HostError: `not-linux`, `kernel-too-old`, `package-missing`, `home-unusable`.
    """
    if platform_name != "linux":
        raise HostError(
            f"the embedded engine needs Linux, this is {platform_name}",
            reason="not-linux",
            hint="run the same pipeline on a Dagger engine: start Docker, then `dagger call run`",
        )
    release = platform.release() if release is None else release
    if kernel_version(release) < OLDEST_KERNEL:
        raise HostError(
            f"kernel {release} is too old: {OLDEST_KERNEL[0]}.{OLDEST_KERNEL[1]} (Debian 12) is the oldest supported",
            reason="kernel-too-old",
            hint="upgrade the kernel, or run on a Dagger engine with `dagger call run`",
        )
    _check_tools(search_path() if path is None else path, rootless=os.geteuid() != 0 if rootless is None else rootless)
    if home.exists() and not (home.is_dir() and os.access(home, os.W_OK | os.X_OK)):
        raise HostError(
            f"the store's folder {home} can't be written",
            reason="home-unusable",
            hint="set SEALANE_HOME to another one",
        )


def _check_tools(path: str, *, rootless: bool) -> None:
    missing = [
        tool
        for tool in TOOLS
        if tool.needed and (rootless or not tool.rootless) and shutil.which(tool.command, path=path) is None
    ]
    if missing:
        names = ", ".join(tool.command for tool in missing)
        raise HostError(
            f"this machine lacks {names} ({missing[0].purpose})",
            reason="package-missing",
            hint=install(*dict.fromkeys(tool.package for tool in missing)),
        )


def search_path() -> str:
    """PATH, and where system tools are: an ordinary user's PATH leaves those out."""
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def install(*packages: str) -> str:
    """The one command that installs packages on Debian and Ubuntu."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"run: {sudo}apt-get install -y {' '.join(packages)}"


def kernel_version(release: str) -> tuple[int, int]:
    """`6.1.0-13-amd64` → (6, 1); what can't be read counts as (0, 0)."""
    parts = release.split("-", maxsplit=1)[0].split(".")
    if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        return (0, 0)
    return int(parts[0]), int(parts[1])
