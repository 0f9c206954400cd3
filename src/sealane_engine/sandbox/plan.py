"""What a sandbox is, as data: the root, its mounts, the process. Backends render it; nothing here has an effect.

Paths named `source`, `lowers` and `staging` are relative to the store's directory, which is the launcher's working
directory: short, and reachable for ids that may not walk the store's parents. Paths named `target` are absolute
inside the sandbox and are resolved there, never on the host: a symlink in an image can't point a mount elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Overlay:
    """Layers, bottom first. With `staging` (a directory with `fs` and `work`) it is writable and `fs` takes the changes.

    A tree that was laid over itself has a layer twice, which the kernel refuses (ELOOP): the upper one hides the other.
    """

    lowers: tuple[str, ...]
    staging: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "lowers", tuple(reversed(dict.fromkeys(reversed(self.lowers)))))


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or directory of the store (a cache volume, a file of a layer)."""

    source: str


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """Memory. `size` in bytes (None: the kernel's default)."""

    size: int | None = None
    mode: int = 0o1777


@dataclass(frozen=True, slots=True)
class Content:
    """A file that exists in memory only: a secret, /etc/hosts, /etc/resolv.conf. Ids are the step's."""

    data: bytes = field(repr=False)
    mode: int = 0o400
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount. A missing target is made (a stub) and taken out of the changes again after the step."""

    target: str
    source: Overlay | Bind | Tmpfs | Content
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Per step; None is no limit of ours."""

    pids: int | None = 16_384
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """What runs in a sandbox. `env` keeps its order. Ids are the step's own; `groups` are supplementary."""

    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole sandbox: every step and every service is one of these.

    `privileged` keeps all capabilities inside the user namespace (insecureRootCapabilities).
    `no_init` runs the command as pid 1 instead of below an init named `.init`.
    `emulator` is the line that registers an emulator with the kernel (see `emulation`), or "" for a native command.
    `mounts` are in the order in which the backend must mount them (parents first).
    """

    root: Overlay
    command: Command
    mounts: tuple[Mount, ...] = ()
    hostname: str = "sealane"
    no_init: bool = False
    privileged: bool = False
    limits: Limits = Limits()
    emulator: str = ""
