"""The values that the schema's objects are: frozen, extended by `replace`, without effects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sealane_engine.graph.operation import Binding, Exec, MountTree, Operation, Output, Ref, Scratch, StepMount

if TYPE_CHECKING:
    from sealane_engine.secrets.secret import Secret

Pairs = tuple[tuple[str, str], ...]
DEFAULT_PLATFORM = "linux/amd64"


@dataclass(frozen=True, slots=True)
class NameValue:
    """An EnvVariable or a Label."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a container exposes. A service's health check connects to each TCP port that doesn't skip it."""

    port: int
    protocol: str = "TCP"
    description: str | None = None
    skip_healthcheck: bool = False


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """A command that says whether a service is healthy; times in seconds. 0: nothing was said (see `filled`)."""

    args: tuple[str, ...]
    shell: bool = False
    interval: float = 0.0
    timeout: float = 0.0
    start_period: float = 0.0
    start_interval: float = 0.0
    retries: int = 0

    def filled(self) -> Healthcheck:
        """With Docker's defaults for what was not said."""
        return replace(
            self,
            interval=self.interval or 30.0,
            timeout=self.timeout or 30.0,
            start_interval=self.start_interval or 5.0,
            retries=self.retries or 3,
        )


@dataclass(frozen=True, slots=True)
class Config:
    """What an image's configuration says about its containers."""

    env: Pairs = ()
    entrypoint: tuple[str, ...] = ()
    default_args: tuple[str, ...] = ()
    workdir: str = ""
    user: str = ""
    labels: Pairs = ()
    annotations: Pairs = ()
    ports: tuple[Port, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    onbuild: tuple[str, ...] = ()
    shell: tuple[str, ...] = ()
    author: str = ""


@dataclass(frozen=True, slots=True)
class Directory:
    at: Ref = field(default_factory=lambda: Ref(Scratch()))
    platform: str = DEFAULT_PLATFORM


@dataclass(frozen=True, slots=True)
class File:
    at: Ref


@dataclass(frozen=True, slots=True)
class CacheVolume:
    key: str
    namespace: str = ""
    sharing: str = "SHARED"
    source: Ref | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Socket:
    """A unix socket of the client's machine."""

    path: str


@dataclass(frozen=True, slots=True)
class TerminalCommand:
    """What `terminal` runs when nothing is said; without arguments, a shell."""

    args: tuple[str, ...] = ()
    nested: bool = False
    privileged: bool = False


FROM_LABEL = -1
"""A container's epoch when no SOURCE_DATE_EPOCH was given: its label may have one."""


@dataclass(frozen=True, slots=True)
class Container:
    """A root, what is mounted on it, and how commands run in it. `epoch`: see `container.images.epoch_of`.

    `args_given`: the default arguments are the caller's own and no image's, so a service runs them without the entrypoint.
    `hidden`: secrets that its root was built with.
    """

    root: Operation = field(default_factory=Scratch)
    config: Config = Config()
    mounts: tuple[StepMount, ...] = ()
    secret_env: tuple[tuple[str, Secret], ...] = ()
    volatile_env: Pairs = ()
    bindings: tuple[Binding, ...] = ()
    last: Exec | None = None
    platform: str = DEFAULT_PLATFORM
    image_ref: str = ""
    epoch: int | None = FROM_LABEL
    error: str = ""
    registry_auth: tuple[tuple[str, str, Secret], ...] = ()
    terminal: TerminalCommand = TerminalCommand()
    args_given: bool = False
    hidden: tuple[Secret, ...] = ()

    @property
    def cwd(self) -> str:
        return self.config.workdir or "/"

    def with_config(self, **changes: Any) -> Container:
        return replace(self, config=replace(self.config, **changes))

    def after(self, step: Exec) -> Container:
        """The container after a step: its root and its mounted trees are the step's outputs."""
        mounts = tuple(
            replace(
                mount, source=Ref(Output(step, index), mount.source.path if mount.kind == "file" else "/"), chained=True
            )
            if isinstance(mount, MountTree) and not mount.read_only
            else mount
            for index, mount in enumerate(self.mounts)
        )
        return replace(self, root=Output(step), mounts=mounts, last=step)


@dataclass(frozen=True, slots=True)
class Service:
    """A container's command as a long-running process, or a tunnel to or from the client's machine.

    `hostname` is what other containers call it; empty: one is made from its key.
    """

    step: Exec | None = None
    ports: tuple[Port, ...] = ()
    healthcheck: Healthcheck | None = None
    hostname: str = ""
    stop_signal: str = ""
    host: str = ""  # a tunnel from containers to this host of the client
    forwards: tuple[PortForward, ...] = ()
    upstream: Service | None = None  # a tunnel from the client to this service


@dataclass(frozen=True, slots=True)
class PortForward:
    """`frontend` None: any free port, or the same as `backend`, as the user of it says."""

    backend: int
    frontend: int | None = None
    protocol: str = "TCP"


_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})")


def expand(text: str, env: Pairs) -> str:
    """Replace $NAME and ${NAME}; a name that isn't set becomes nothing."""
    values = dict(env)
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2] or "", ""), text)


def variables_in(text: str) -> frozenset[str]:
    """The names that `expand` would replace."""
    return frozenset(found[1] or found[2] or "" for found in _VARIABLE.finditer(text))


def with_pair(pairs: Pairs, name: str, value: str) -> Pairs:
    """Set a name: in its place when it is there, else at the end."""
    if any(known == name for known, _ in pairs):
        return tuple((known, value if known == name else old) for known, old in pairs)
    return (*pairs, (name, value))


def without_pair(pairs: Pairs, name: str) -> Pairs:
    return tuple(pair for pair in pairs if pair[0] != name)


def join(base: str, path: str) -> str:
    """An absolute, clean path: `path` against `base`, `..` stops at the root."""
    parts: list[str] = []
    for part in (path if path.startswith("/") else f"{base}/{path}").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def config_from_oci(config: Mapping[str, Any]) -> Config:
    """Read the `config` object of an OCI image configuration."""
    ports = tuple(
        Port(int(name.partition("/")[0]), (name.partition("/")[2] or "tcp").upper())
        for name in config.get("ExposedPorts") or {}
    )
    return Config(
        env=tuple((name, value) for name, _, value in (item.partition("=") for item in config.get("Env") or ())),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        default_args=tuple(config.get("Cmd") or ()),
        workdir=config.get("WorkingDir") or "",
        user=config.get("User") or "",
        labels=tuple((config.get("Labels") or {}).items()),
        ports=ports,
        volumes=tuple(config.get("Volumes") or ()),
        stop_signal=config.get("StopSignal") or "",
        healthcheck=_healthcheck_from_oci(config.get("Healthcheck") or {}),
        onbuild=tuple(config.get("OnBuild") or ()),
        shell=tuple(config.get("Shell") or ()),
    )


def _healthcheck_from_oci(check: Mapping[str, Any]) -> Healthcheck | None:
    test = check.get("Test") or []
    if not test or test[0] == "NONE":
        return None
    seconds = {
        name: (check.get(key) or 0) / 1e9
        for name, key in (
            ("interval", "Interval"),
            ("timeout", "Timeout"),
            ("start_period", "StartPeriod"),
            ("start_interval", "StartInterval"),
        )
    }
    return Healthcheck(args=tuple(test[1:]), shell=test[0] == "CMD-SHELL", retries=check.get("Retries") or 0, **seconds)


def config_to_oci(config: Config) -> dict[str, Any]:
    """Write the `config` object of an OCI image configuration; empty settings are left out."""
    check = config.healthcheck
    full: dict[str, Any] = {
        "User": config.user,
        "ExposedPorts": {f"{port.port}/{port.protocol.lower()}": {} for port in config.ports},
        "Env": [f"{name}={value}" for name, value in config.env],
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.default_args),
        "Volumes": {volume: {} for volume in config.volumes},
        "WorkingDir": config.workdir,
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
        "OnBuild": list(config.onbuild),
        "Shell": list(config.shell),
        "Healthcheck": check
        and {
            "Test": ["CMD-SHELL" if check.shell else "CMD", *check.args],
            **{
                name: value
                for name, value in (
                    ("Interval", int(check.interval * 1e9)),
                    ("Timeout", int(check.timeout * 1e9)),
                    ("StartPeriod", int(check.start_period * 1e9)),
                    ("StartInterval", int(check.start_interval * 1e9)),
                    ("Retries", check.retries),
                )
                if value
            },
        },
    }
    return {name: value for name, value in full.items() if value}
