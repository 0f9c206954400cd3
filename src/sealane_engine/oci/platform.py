"""Platforms as containerd reads them: `os`, `arch`, `os/arch` or `os/arch/variant`, in one spelling for each."""

from __future__ import annotations

from sealane_engine.errors import InvalidInput

_SYSTEMS = frozenset(
    [
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "hurd",
        "illumos",
        "ios",
        "js",
        "linux",
        "nacl",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "windows",
        "zos",
    ]
)
_MACHINES = frozenset(
    [
        "386",
        "amd64",
        "amd64p32",
        "arm",
        "armbe",
        "arm64",
        "arm64be",
        "loong64",
        "mips",
        "mipsle",
        "mips64",
        "mips64le",
        "mips64p32",
        "mips64p32le",
        "ppc",
        "ppc64",
        "ppc64le",
        "riscv",
        "riscv64",
        "s390",
        "s390x",
        "sparc",
        "sparc64",
        "wasm",
    ]
)
_SAME = {
    "i386": ("386", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_PLAIN = {("amd64", "v1"): "", ("arm64", "v8"): "", ("arm", ""): "v7"}


def normalised(text: str, default: str) -> str:
    """One spelling of a platform; what it leaves out is that of `default`. Raises InvalidInput (`bad-platform`)."""
    parts = text.strip().lower().split("/")
    own_system, own_machine, *_ = default.split("/")
    if len(parts) > 3 or not all(parts):
        raise _bad(text)
    if len(parts) == 1:
        parts = [parts[0], own_machine] if _system(parts[0]) in _SYSTEMS else [own_system, parts[0]]
    system = _system(parts[0])
    machine, variant = _SAME.get(parts[1], (parts[1], ""))
    if system not in _SYSTEMS or machine not in _MACHINES:
        raise _bad(text)
    given = parts[2] if len(parts) == 3 else variant
    given = f"v{given}" if given.isdigit() else given
    given = _PLAIN.get((machine, given), given)
    return f"{system}/{machine}{f'/{given}' if given else ''}"


def _system(name: str) -> str:
    return {"macos": "darwin"}.get(name, name)


def _bad(text: str) -> InvalidInput:
    return InvalidInput(
        f"{text!r}: unknown operating system or architecture", reason="bad-platform", hint="write it as linux/amd64"
    )
