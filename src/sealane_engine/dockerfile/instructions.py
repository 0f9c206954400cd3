"""Instructions of a Dockerfile, as data. Words are as written: variables are put in when the stage is built."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: its delimiter, its text (tabs already taken out for `<<-`), and whether variables are put in."""

    name: str
    content: str
    expand: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """`line` is its first line; `text` is it as written."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Arg(Instruction):
    """ARG: (name, default or None) pairs."""

    pairs: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Env(Instruction):
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Label(Instruction):
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Run(Instruction):
    """`words` is one shell text, or a whole command (`is_exec`). `mounts` are the values of `--mount`, as written."""

    words: tuple[str, ...]
    is_exec: bool
    mounts: tuple[str, ...] = ()
    network: str = ""
    security: str = ""
    heredocs: tuple[Heredoc, ...] = ()


@dataclass(frozen=True, slots=True)
class Copy(Instruction):
    """COPY and ADD (`is_add`). Here-documents are sources of their own, in `heredocs`."""

    sources: tuple[str, ...]
    dest: str
    is_add: bool = False
    stage: str = ""
    owner: str = ""
    mode: str = ""
    exclude: tuple[str, ...] = ()
    parents: bool = False
    checksum: str = ""
    unpack: bool | None = None
    heredocs: tuple[Heredoc, ...] = ()
    link: bool = False
    keep_git: bool = False


@dataclass(frozen=True, slots=True)
class Workdir(Instruction):
    path: str


@dataclass(frozen=True, slots=True)
class User(Instruction):
    user: str


@dataclass(frozen=True, slots=True)
class Command(Instruction):
    """CMD and ENTRYPOINT (`field` is its name in the configuration)."""

    field: str
    words: tuple[str, ...]
    is_exec: bool


@dataclass(frozen=True, slots=True)
class Shell(Instruction):
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expose(Instruction):
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Volume(Instruction):
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StopSignal(Instruction):
    signal: str


@dataclass(frozen=True, slots=True)
class Healthcheck(Instruction):
    """`words` () is NONE. Times in nanoseconds, 0 where the default holds."""

    words: tuple[str, ...]
    is_exec: bool = False
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class OnBuild(Instruction):
    """An instruction for whoever builds on this image, as written."""

    trigger: str


@dataclass(frozen=True, slots=True)
class Maintainer(Instruction):
    name: str


@dataclass(frozen=True, slots=True)
class Stage:
    """What follows one FROM. `base` and `platform` are expanded; `name` is lower case, "" when it has none."""

    index: int
    name: str
    base: str
    platform: str
    line: int
    text: str
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole Dockerfile: its stages, the arguments before the first FROM with their values, its escape character."""

    stages: tuple[Stage, ...]
    arguments: tuple[tuple[str, str], ...]
    escape: str = "\\"
