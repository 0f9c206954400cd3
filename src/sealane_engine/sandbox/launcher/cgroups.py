"""Control groups of sandboxes, where the machine lets us: pids and memory limits, v1 or v2.

Moving a process into a group costs up to 7 ms (the kernel waits for all processors), so a sandbox gets one only for a
limit that nothing else can hold: a memory limit, or few processes. RLIMIT_NPROC, which the kernel counts per user
namespace and user, holds off a fork bomb otherwise.
"""

from __future__ import annotations

import os
from typing import NamedTuple

FEW_PROCESSES = 4096
"""A limit below this counts all of a sandbox's processes; from here on, those of each of its users."""

_CONTROLLERS = ("pids", "memory")


class Hierarchy(NamedTuple):
    """A mounted hierarchy in which we may make groups; `path` is our own group's directory."""

    path: str
    controllers: frozenset[str]
    unified: bool


class Group(NamedTuple):
    """One sandbox's groups: a directory in each hierarchy that limits something of it."""

    paths: tuple[str, ...]
    memory: str | None

    def add(self, pid: int) -> None:
        for path in self.paths:
            _write(f"{path}/cgroup.procs", str(pid))

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed something in the group for want of memory."""
        if self.memory is None:
            return False
        for name in ("memory.events", "memory.oom_control"):
            for line in _read(f"{self.memory}/{name}").splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return value != "0"
        return False

    def remove(self) -> None:
        for path in self.paths:
            try:
                os.rmdir(path)
            except OSError:  # something is still in it: the next sweep takes it
                continue


class Cgroups:
    """Our place in each usable hierarchy: `<own group>/sealane-<launcher's pid>-<its start time>/<id>`."""

    def __init__(self) -> None:
        self._hierarchies: list[Hierarchy] = []
        name = f"sealane-{os.getpid()}-{start_time(os.getpid())}"
        for hierarchy in find():
            _sweep(hierarchy.path)
            path = f"{hierarchy.path}/{name}"
            try:
                os.mkdir(path, 0o755)
                if hierarchy.unified:
                    _write(f"{path}/cgroup.subtree_control", " ".join(f"+{c}" for c in hierarchy.controllers))
            except OSError:
                _remove(path)
                continue
            self._hierarchies.append(hierarchy._replace(path=path))

    def make(self, sandbox: int, *, pids: int | None, memory: int | None) -> Group:
        """A group with these limits; an empty one where nothing has to be limited, or can be."""
        if memory is None and (pids is None or pids >= FEW_PROCESSES):
            return Group((), None)
        limits = {"pids": pids, "memory": memory}
        made: list[str] = []
        group = Group((), None)
        for hierarchy in self._hierarchies:
            wanted = [c for c in hierarchy.controllers if limits[c] is not None]
            if not wanted:
                continue
            path = f"{hierarchy.path}/{sandbox}"
            os.mkdir(path, 0o755)
            made.append(path)
            for controller in wanted:
                _write(f"{path}/{_limit_file(controller, unified=hierarchy.unified)}", str(limits[controller]))
            group = Group(tuple(made), path if "memory" in wanted else group.memory)
        return group

    def close(self) -> None:
        for hierarchy in self._hierarchies:
            for name in os.listdir(hierarchy.path):
                if name.isdigit():
                    _remove(f"{hierarchy.path}/{name}")
            _remove(hierarchy.path)


def find() -> list[Hierarchy]:
    """The hierarchies that have a controller we use, and where this process is in them."""
    own: dict[str, str] = {}
    for line in _read("/proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        own.update(dict.fromkeys(names.split(","), path))
    found: list[Hierarchy] = []
    for line in _read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        mount_root, mount_point = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            controllers = frozenset(_CONTROLLERS) & set(
                _read(_below(mount_point, mount_root, own[""], "cgroup.controllers")).split()
            )
            path = _below(mount_point, mount_root, own[""])
        elif kind == "cgroup":
            controllers = frozenset(_CONTROLLERS) & set(options.split(","))
            path = _below(mount_point, mount_root, next((own[c] for c in controllers if c in own), "/"))
        else:
            continue
        if controllers and os.access(path, os.W_OK):
            found.append(Hierarchy(path, frozenset(controllers), kind == "cgroup2"))
    return found


def _below(mount_point: str, mount_root: str, group: str, name: str = "") -> str:
    inside = group.removeprefix(mount_root.rstrip("/"))
    return "/".join(part for part in (mount_point, inside.strip("/"), name) if part)


def _limit_file(controller: str, *, unified: bool) -> str:
    if controller == "pids":
        return "pids.max"
    return "memory.max" if unified else "memory.limit_in_bytes"


def start_time(pid: int) -> str:
    """In clock ticks since boot; with the pid it names one process for good. Empty if it has ended."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in {"Z", "X"} else ""


def _sweep(path: str) -> None:
    """Remove the groups of launchers that are gone."""
    for name in os.listdir(path):
        prefix, _, rest = name.partition("-")
        pid, _, started = rest.partition("-")
        if prefix != "sealane" or not pid.isdigit() or start_time(int(pid)) == started:
            continue
        for child in os.listdir(f"{path}/{name}"):
            if child.isdigit():
                _remove(f"{path}/{name}/{child}")
        _remove(f"{path}/{name}")


def _remove(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        return


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
