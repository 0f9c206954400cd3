"""Which platforms run here: the machine's own, and those whose programs qemu's user emulation runs.

The kernel is told of an emulator (binfmt_misc) in the step's own user namespace, which Linux knows from 6.7 on: what is
registered there ends with the step, and nobody else sees it. Before, it can only be registered for the whole machine:
the engine does that when the first foreign step comes, and undoes it at its end.
"""

from __future__ import annotations

import os
import platform as host_platform
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sealane_engine import preflight
from sealane_engine.errors import HostError
from sealane_engine.linux import binfmt

PER_NAMESPACE = (6, 7)
"""The first kernel with a binfmt_misc for each user namespace."""

REGISTERED = Path("/proc/sys/fs/binfmt_misc")
_FLAGS = "POCF"
"""P: keep argv[0]. O and C: the emulator gets the program opened, and a set-user-ID program its rights. F: the emulator
is opened now, on the host, so that the image needs nothing of it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """An architecture in qemu's words, and what its programs' ELF headers say (`number` is e_machine)."""

    qemu: str
    number: int
    bits: int = 64
    big_endian: bool = False


MACHINES = {
    "386": Machine("i386", 3, bits=32),
    "amd64": Machine("x86_64", 62),
    "arm": Machine("arm", 40, bits=32),
    "arm64": Machine("aarch64", 183),
    "loong64": Machine("loongarch64", 258),
    "mips64le": Machine("mips64el", 8),
    "ppc64le": Machine("ppc64le", 21),
    "riscv64": Machine("riscv64", 243),
    "s390x": Machine("s390x", 22, big_endian=True),
}
"""By the architecture in a platform (`linux/arm64`); the numbers are those of the ELF specification."""

_NATIVE = {"x86_64": ("amd64", "386"), "aarch64": ("arm64",)}


def native() -> tuple[str, ...]:
    """The architectures that this machine's processor and kernel run."""
    return _NATIVE.get(host_platform.machine(), ())


def architecture_of(platform: str) -> str:
    """`linux/arm/v7` → `arm`."""
    return platform.split("/")[1] if "/" in platform else platform


def pattern(machine: Machine) -> tuple[bytes, bytes]:
    """The first 20 bytes of the machine's ELF programs (e_type EXEC or DYN, any OS ABI), and which bits of them count."""
    order: Literal["big", "little"] = "big" if machine.big_endian else "little"
    head = b"\x7fELF" + bytes((machine.bits // 32, 2 if machine.big_endian else 1, 1, 0)) + bytes(8)
    magic = head + (2).to_bytes(2, order) + machine.number.to_bytes(2, order)
    mask = b"\xff" * 7 + b"\0" + b"\xff" * 8 + 0xFFFE.to_bytes(2, order) + b"\xff\xff"
    return magic, mask


def registration(name: str, machine: Machine, interpreter: str) -> str:
    """The line that tells the kernel of an emulator."""
    magic, mask = ("".join(f"\\x{byte:02x}" for byte in part) for part in pattern(machine))
    return f":{name}:M::{magic}:{mask}:{interpreter}:{_FLAGS}"


def find(machine: Machine) -> str | None:
    """The host's emulator for a machine: only a static one works in an image that has nothing of ours."""
    for command in (f"qemu-{machine.qemu}-static", f"qemu-{machine.qemu}"):
        path = shutil.which(command, path=preflight.search_path())
        if path is not None and _is_static(path):
            return os.path.realpath(path)
    return None


def _is_static(path: str) -> bool:
    """Whether an ELF program (64 bits) names no loader."""
    with open(path, "rb") as file:
        head = file.read(4096)
    if head[:5] != b"\x7fELF\x02":
        return False
    order: Literal["big", "little"] = "little" if head[5] == 1 else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], order)

    table, size, count = number(32, 8), number(54, 2), number(56, 2)
    loader = 3  # PT_INTERP
    return all(number(table + index * size, 4) != loader for index in range(count))


def registered(machine: Machine, directory: Path = REGISTERED) -> bool:
    """Whether the host's own registration serves steps too: it is on, and its emulator is open already (F)."""
    try:
        text = (directory / f"qemu-{machine.qemu}").read_text()
    except OSError:
        return False
    return text.startswith("enabled") and bool(re.search(r"^flags: .*F", text, re.MULTILINE))


def runnable() -> dict[str, str]:
    """Architecture → how it runs here: `native`, `registered by the host`, or the emulator's path."""
    found = dict.fromkeys(native(), "native")
    for name, machine in MACHINES.items():
        if name not in found and (how := find(machine) or ("registered by the host" if registered(machine) else "")):
            found[name] = how
    return found


class Emulators:
    """What a step of a platform needs. Close it at the end: that undoes what an old kernel had to be told."""

    def __init__(self, release: str | None = None) -> None:
        release = host_platform.release() if release is None else release
        self._for_all = preflight.kernel_version(release) < PER_NAMESPACE
        self._registered: dict[str, str] = {}
        self._mount = -1

    def line(self, platform: str) -> str:
        """The line to register in the step's user namespace; "" when it runs without. Raises HostError (`no-emulator`)."""
        architecture = architecture_of(platform)
        if architecture in native():
            return ""
        machine = MACHINES.get(architecture)
        interpreter = None if machine is None else find(machine)
        if machine is None or interpreter is None:
            if machine is not None and registered(machine):
                return ""
            known = "" if machine else f" (architectures that can be emulated: {', '.join(MACHINES)})"
            raise HostError(
                f"{platform} can't run here: this machine is {host_platform.machine()} and has no emulator for it{known}",
                reason="no-emulator",
                hint=preflight.install("qemu-user-static") if machine else "use another platform",
            )
        if not self._for_all:
            return registration(f"sealane-{architecture}", machine, interpreter)
        self._register_for_all(architecture, machine, interpreter)
        return ""

    def _register_for_all(self, architecture: str, machine: Machine, interpreter: str) -> None:
        if architecture in self._registered or registered(machine):
            return
        name = f"sealane-{architecture}-{os.getpid()}"
        try:
            if self._mount < 0:
                self._mount = binfmt.mount()
                self._sweep()
            binfmt.register(self._mount, registration(name, machine, interpreter))
        except OSError as error:
            raise HostError(
                f"no emulator for linux/{architecture} can be registered: {error.strerror}",
                reason="no-emulator",
                hint="run as root, use Linux 6.7 or newer, or let the host register it: install binfmt-support",
            ) from error
        self._registered[architecture] = name

    def _sweep(self) -> None:
        """Undo what a killed engine left."""
        for name in binfmt.names(self._mount):
            found = re.fullmatch(r"sealane-\w+-(\d+)", name)
            if found and not Path(f"/proc/{found[1]}").exists():
                binfmt.remove(self._mount, name)

    def close(self) -> None:
        for name in self._registered.values():
            with suppress(OSError):
                binfmt.remove(self._mount, name)
        self._registered.clear()
        if self._mount >= 0:
            os.close(self._mount)
            self._mount = -1
