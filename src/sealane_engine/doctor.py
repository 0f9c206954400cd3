"""Probes of what the machine offers: every primitive that the engine stands on, each with what to do when it is missing.

Two kinds. `probe` looks at the host: files under a root (a test gives a made-up one), then one trial in a real user
namespace (`trial.py`). `TOOLS` are commands to run in a sandbox of a running engine: they show that a step reaches
the package registries and trusts what the host trusts.
"""

from __future__ import annotations

import asyncio
import os
import platform
import pwd
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from sealane_engine import confined, preflight, trial
from sealane_engine.sandbox import emulation
from sealane_engine.sandbox.ids import ROOT_RANGE, IdRange

MINIMUM_SPACE = 5 * 1024**3
"""Bytes that the sample's pipeline needs from cold, with some air."""

_ASK_FOR = (
    "this is a container that forbids it; with Docker or Podman start it with --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined --device /dev/net/tun, in Kubernetes "
    "with seccompProfile type Unconfined and procMount Unmasked; or set DAGGER_SESSION_PORT, or "
    "_EXPERIMENTAL_DAGGER_RUNNER_HOST, to use a Dagger engine instead"
)


@dataclass(frozen=True, slots=True)
class Probe:
    """One primitive. `remedy` is what to do when it isn't ok; without an `optional` one the engine still works."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ToolProbe:
    """A command to run in a sandbox of `image`: it exits with 0 when what `name` stands for works there."""

    name: str
    image: str
    args: tuple[str, ...]
    remedy: str


_INDEX = (
    "from subprocess import run; from pip._internal.models.index import PyPI; "
    "print(run(['pip', 'config', 'get', 'global.index-url'], capture_output=True, text=True).stdout.strip()"
    " or PyPI.simple_url)"
)

TOOLS = (
    ToolProbe(
        "apt",
        "debian:bookworm-slim",
        ("apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"),
        "check that the host's own `apt-get update` works; its sources, keys and proxy are what a step gets",
    ),
    ToolProbe(
        "pip",
        "python:3.11-slim",
        ("pip", "download", "--quiet", "--no-deps", "--dest", "/tmp/probe", "idna"),  # noqa: S108 - in the sandbox
        "check that the host's own `pip download idna` works; its index (pip config list) is what a step gets",
    ),
    ToolProbe(
        "npm",
        "node:18-slim",
        ("npm", "view", "is-number", "version"),
        "check that the host's own `npm view is-number` works; its registry (npm config list) is what a step gets",
    ),
    ToolProbe(
        "Python's TLS",
        "python:3.11-slim",
        ("sh", "-c", f'python -c "import urllib.request as r; r.urlopen(\\"$(python -c "{_INDEX}")\\").read(1)"'),
        "the host's CA bundle does not vouch for the index: install the proxy's CA on the host "
        "(update-ca-certificates)",
    ),
    ToolProbe(
        "curl",
        "python:3.11-slim",
        (
            "sh",
            "-ec",
            f'apt-get -q update && apt-get -q install -y curl && curl -fsS -o /dev/null -L "$(python -c "{_INDEX}")"',
        ),
        "the host's CA bundle or proxy settings do not work in a step: compare `curl -v` on the host",
    ),
)


async def probe(home: Path, *, root: Path = Path("/")) -> list[Probe]:
    """Everything that can be learnt without an engine; `home` is where the store is or would be."""
    probes = [system(sys.platform), kernel(platform.release())]
    if not all(found.ok for found in probes):
        return probes
    euid = os.geteuid()
    probes.append(id_range(root) if euid == 0 else subordinate_ids(root, _user(), euid))
    found = await trial.run(nearest(home), _range(root, euid), rootless=euid != 0)
    probes += in_namespace(found, contained=in_container(root), root=root)
    probes += [seccomp(root), tun(root / "dev/net/tun"), cgroups(root, writable=os.access)]
    probes.append(platforms(emulation.runnable()))
    probes.append(store(nearest(home), await asyncio.to_thread(facts, nearest(home))))
    return [*probes, *tools(rootless=euid != 0), keyring(root / "usr/share/keyrings/debian-archive-keyring.gpg")]


def system(name: str) -> Probe:
    return Probe(
        "Linux",
        name == "linux",
        name,
        "the embedded engine needs Linux; elsewhere use a Dagger engine (Docker Desktop, or a remote one): "
        "dagger call run",
    )


def kernel(release: str) -> Probe:
    ok = preflight.kernel_version(release) >= preflight.OLDEST_KERNEL
    oldest = ".".join(str(n) for n in preflight.OLDEST_KERNEL)
    return Probe(
        "kernel",
        ok,
        release,
        f"kernel {oldest} (Debian 12) is the oldest supported; upgrade it, or use a Dagger engine",
    )


def id_range(root: Path, ids: IdRange = ROOT_RANGE) -> Probe:
    """As root: nobody else may own an id of the range, or a step could act as that user."""
    last = ids.base + ids.count - 1
    detail = f"{ids.base} to {last}"
    for name in ("etc/subuid", "etc/subgid"):
        for owner, base, count in _ranges(root / name):
            if base <= last and ids.base < base + count:
                return Probe(
                    "ids", False, f"{detail} overlaps {owner}'s in /{name}", f"move {owner}'s range in /{name}"
                )
    for name in ("etc/passwd", "etc/group"):
        for line in _lines(root / name):
            fields = line.split(":")
            if len(fields) > 2 and fields[2].isdigit() and ids.base <= int(fields[2]) <= last:
                return Probe("ids", False, f"{detail} holds {fields[0]} of /{name}", f"give {fields[0]} another id")
    return Probe("ids", True, f"{detail} are free")


def subordinate_ids(root: Path, user: str, uid: int) -> Probe:
    """As an ordinary user: /etc/subuid and /etc/subgid must give 65,535 ids."""
    for name in ("etc/subuid", "etc/subgid"):
        count = sum(count for owner, _, count in _ranges(root / name) if owner in (user, str(uid)))
        if count < 65_535:
            return Probe(
                "ids",
                False,
                f"/{name} gives {user} {count} ids; 65535 are needed",
                f"run once as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
            )
    return Probe("ids", True, f"subordinate ids of {user}")


def in_namespace(found: trial.Found, *, contained: bool, root: Path) -> list[Probe]:
    """What the trial in a user namespace found, step by step; steps it never came to are left out."""
    probes = []
    for name, error in found.steps:
        remedy = _remedy(name, error, contained=contained, root=root) if error else ""
        probes.append(Probe(trial.STEPS[name], not error, error or "works", remedy))
    return probes


def _remedy(step: str, error: str, *, contained: bool, root: Path) -> str:
    if step == "maps":
        ids = "install uidmap (newuidmap, newgidmap) and give the user subordinate ids in /etc/subuid and /etc/subgid"
        return f"{ids}; in a container keep the capabilities SETUID and SETGID and allow new privileges"
    if step == "user":
        switch = _closed_switch(root)
        if switch:
            return f"run as root: sysctl -w {switch}"
    if step == "overlay" and ("Invalid argument" in error or "not supported" in error):
        return (
            "put SEALANE_HOME on ext4, xfs, btrfs or tmpfs (in a container: on a volume); overlay can't stand on itself"
        )
    if contained:
        return _ASK_FOR
    return "a security module (AppArmor, SELinux) may forbid it: see the kernel's log (dmesg) for a denial"


def _closed_switch(root: Path) -> str:
    """The sysctl that turns user namespaces off, with the value that opens it; empty when none does."""
    for name, closed, opened in (
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("user.max_user_namespaces", "0", "15000"),
    ):
        if _text(root / "proc/sys" / name.replace(".", "/")) == closed:
            return f"{name}={opened}"
    return ""


def in_container(root: Path) -> bool:
    """Whether this machine is itself a container of Docker's or Podman's, a Kubernetes pod, or confined like one."""
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return True
    return (root / "var/run/secrets/kubernetes.io").exists() or confined.suspected(root)


def seccomp(root: Path) -> Probe:
    actions = _text(root / "proc/sys/kernel/seccomp/actions_avail").split()
    return Probe(
        "seccomp",
        "errno" in actions,
        " ".join(actions) or "not in this kernel",
        "a kernel with CONFIG_SECCOMP_FILTER is needed; every distribution's has it",
    )


def tun(device: Path) -> Probe:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return Probe(
            "tun",
            False,
            f"{device}: {error.strerror}; pasta needs it",
            "run `modprobe tun`; in a container add --device /dev/net/tun",
            optional=True,
        )
    return Probe("tun", True, str(device))


def cgroups(root: Path, *, writable: trial.Access) -> Probe:
    """Limits of a step need one; without, steps run unlimited."""
    top = root / "sys/fs/cgroup"
    if (top / "cgroup.controllers").exists():
        kind, where = "v2", top
    elif (top / "pids").is_dir():
        kind, where = "v1" if not (top / "unified").is_dir() else "hybrid", top / "pids"
    else:
        return Probe(
            "cgroups", False, "none", "mount them to limit what a step may use; steps run without", optional=True
        )
    if not writable(where, os.W_OK):
        remedy = "steps run without limits of memory and processes; delegate a cgroup to this user to have them"
        return Probe("cgroups", False, f"{kind}, not writable", remedy, optional=True)
    return Probe("cgroups", True, kind)


def platforms(found: dict[str, str]) -> Probe:
    """For which platforms steps can run here; images for others can only be made of files."""
    emulated = ", ".join(f"linux/{name}" for name, how in sorted(found.items()) if how != "native")
    own = ", ".join(f"linux/{name}" for name, how in found.items() if how == "native")
    if not emulated:
        remedy = f"to build for others, {preflight.install('qemu-user-static')}"
        return Probe("platforms", False, f"{own} alone", remedy, optional=True)
    return Probe("platforms", True, f"{own}; emulated: {emulated}")


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What is known of the file system that a store is on. Sizes are bytes; `inodes` None where they aren't counted."""

    kind: str
    free: int
    inodes: int | None


def facts(path: Path) -> FileSystem:
    numbers = os.statvfs(path)
    mounts = _text(Path("/proc/self/mountinfo")).splitlines()
    return FileSystem(kind_of(path, mounts), numbers.f_bavail * numbers.f_frsize, numbers.f_favail or None)


def kind_of(path: Path, mountinfo: list[str]) -> str:
    """The type of the file system that `path` is on: the last mount whose point is the longest prefix."""
    best, kind = -1, "unknown"
    for line in mountinfo:
        left, _, right = line.partition(" - ")
        point = left.split()[4].replace("\\040", " ")
        if path.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), right.split()[0]
    return kind


def store(home: Path, found: FileSystem) -> Probe:
    detail = f"{home}: {found.kind}, {found.free / 1024**3:.1f} GiB free"
    if found.kind in {"overlay", "nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "ecryptfs"}:
        return Probe("store", False, detail, "set SEALANE_HOME to a folder on ext4, xfs, btrfs or tmpfs")
    if found.free < MINIMUM_SPACE:
        remedy = "free some space, set SEALANE_HOME to a folder with more, or run `sealane cache prune`"
        return Probe("store", False, detail, remedy, optional=True)
    if found.inodes is not None and found.inodes < 100_000:
        return Probe("store", False, f"{detail}, {found.inodes} inodes", "set SEALANE_HOME to another file system")
    return Probe("store", True, detail)


def tools(*, rootless: bool) -> list[Probe]:
    """The commands of the system that the engine starts."""
    probes = []
    for tool in preflight.TOOLS:
        path = shutil.which(tool.command, path=preflight.search_path())
        if tool.rootless and not rootless:
            continue
        optional = not tool.needed
        missing = f"not installed; {tool.purpose}"
        probes.append(Probe(tool.command, path is not None, path or missing, preflight.install(tool.package), optional))
    return probes


def keyring(file: Path) -> Probe:
    remedy = preflight.install("debian-archive-keyring")
    found = file.exists()
    detail = str(file) if found else "not there; base images built from Debian's packages are verified with it"
    return Probe("Debian's keys", found, detail, remedy, optional=True)


def nearest(path: Path) -> Path:
    """The path, or its first parent that exists."""
    return next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _range(root: Path, euid: int) -> IdRange:
    if euid == 0:
        return ROOT_RANGE
    mine = (r for r in _ranges(root / "etc/subuid") if r[0] in (_user(), str(euid)))
    _, base, count = next(mine, ("", 100_000, 65_535))
    return IdRange(base, count)


def _ranges(path: Path) -> list[tuple[str, int, int]]:
    """`owner:first:count` lines."""
    rows = [line.split(":") for line in _lines(path)]
    return [(r[0], int(r[1]), int(r[2])) for r in rows if len(r) == 3 and r[1].isdigit() and r[2].isdigit()]


def _lines(path: Path) -> list[str]:
    return [line for line in _text(path).splitlines() if line and not line.startswith("#")]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
