"""Operations: the nodes of the DAG, as frozen values. Nothing here has an effect.

A tree operation solves to a `Tree` (a stack of layers). The chain of a container's root goes through `parent`:
`Edit.base`, `Exec.root`, `Output.exec`; everything else an operation needs crosses into it as a `Ref` and counts by
its content, so that an input that has the content it had is a hit whatever made it.

Operations are compared by identity (a chain may be thousands long); `graph.keys` gives the key that says what they are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sealane_engine.images.image import Image
    from sealane_engine.secrets.secret import Secret

DEFAULT_FILE_MODE = 0o644


class Operation:
    """Base of all operations; `parent` is the operation whose root this one continues, if any."""

    __slots__ = ()

    @property
    def parent(self) -> Operation | None:
        return None


@dataclass(frozen=True, slots=True)
class Ref:
    """A place in the tree that an operation makes."""

    tree: Operation
    path: str = "/"


@dataclass(frozen=True, slots=True, eq=False)
class Scratch(Operation):
    """The empty tree."""


@dataclass(frozen=True, slots=True, eq=False)
class Failing(Operation):
    """A tree that can't be had: `with_error`."""

    message: str


@dataclass(frozen=True, slots=True, eq=False)
class ImageTree(Operation):
    """The root file system of an image."""

    image: Image


@dataclass(frozen=True, slots=True, eq=False)
class HostDirectory(Operation):
    """A directory of the client's machine, read once per operation. Its key is its content."""

    path: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    gitignore: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class HostFile(Operation):
    """A file of the client's machine: a tree with that one file. Its key is its content."""

    path: str


@dataclass(frozen=True, slots=True, eq=False)
class Filled(Operation):
    """A tree that comes from outside: `fill` writes it into a folder that it makes. It counts by what `inputs` say of it."""

    kind: str
    inputs: tuple[tuple[str, Any], ...]
    fill: Callable[[Path], Awaitable[None]] = field(repr=False)


# ---- edits of a tree, each a delta layer


@dataclass(frozen=True, slots=True)
class WriteFile:
    path: str
    data: bytes
    mode: int = DEFAULT_FILE_MODE
    owner: str = ""


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    path: str
    mode: int = 0o755
    owner: str = ""


@dataclass(frozen=True, slots=True)
class MakeSymlink:
    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Paths or patterns (`*`, `?`, `[`) that are gone afterwards; what isn't there is no error."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """A directory's content merged into `path`, or a file put at `path` (into it, when it is or ends like a directory)."""

    source: Ref
    path: str
    kind: str = "directory"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    gitignore: bool = False
    owner: str = ""
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class CopyFiles:
    """A Dockerfile's COPY or ADD: patterns, archives, here-documents. It counts by the content of what it copies.

    Its fields are those of `dockerfile.builder.CopyStep`.
    """

    source: Ref
    paths: tuple[str, ...]
    dest: str
    owner: str = ""
    mode: str = ""
    exclude: tuple[str, ...] = ()
    parents: bool = False
    unpack: bool = False
    files: tuple[tuple[str, str], ...] = ()
    link: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class ChangeOwner:
    path: str
    owner: str


@dataclass(frozen=True, slots=True)
class SetTimes:
    seconds: int


@dataclass(frozen=True, slots=True)
class Patch:
    """A unified diff, applied by `git apply` to what is below `at`; bytes that are no UTF-8 are surrogates."""

    patch: str
    at: str = "/"


Action = WriteFile | MakeDirectory | MakeSymlink | Remove | Copy | CopyFiles | ChangeOwner | SetTimes | Patch


@dataclass(frozen=True, slots=True, eq=False)
class Edit(Operation):
    """A tree with one change."""

    base: Operation
    action: Action

    @property
    def parent(self) -> Operation | None:
        return self.base


@dataclass(frozen=True, slots=True, eq=False)
class Difference(Operation):
    """What `upper` has and `lower` has not, or has otherwise."""

    lower: Ref
    upper: Ref


@dataclass(frozen=True, slots=True)
class Variant:
    """An image for one platform: a root, and its OCI configuration as canonical JSON (without what the layers say).

    `epoch` takes the place of its own layers' dates, unless it is None (see `oci.normal`).
    """

    root: Operation
    config: str
    platform: str
    epoch: int | None = None
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def base(self) -> ImageTree | None:
        """The base image that the root began as."""
        current: Operation | None = self.root
        while current is not None and not isinstance(current, ImageTree):
            current = current.parent
        return current


@dataclass(frozen=True, slots=True, eq=False)
class Tarball(Operation):
    """Images as one OCI layout in a tar file, `/image.tar`."""

    variants: tuple[Variant, ...]
    media_types: str = ""
    compression: str = ""


# ---- a step


@dataclass(frozen=True, slots=True)
class MountTree:
    """A directory or file mounted at `target`; a step's writes to it are an output of the step.

    `chained` says that the source is the output of the step before in the same container: it counts by key.
    The kind is `directory`, `file`, or `any`: whichever it is, and nobody keeps what the step writes to it.
    """

    target: str
    source: Ref
    kind: str = "directory"
    read_only: bool = False
    chained: bool = False


@dataclass(frozen=True, slots=True)
class MountCache:
    target: str
    key: str
    namespace: str = ""
    sharing: str = "SHARED"
    source: Ref | None = None
    owner: str = ""
    mode: int | None = None
    read_only: bool = False
    by_id: bool = False  # as in a Dockerfile: whatever it begins with and whose it is, it's the same volume


@dataclass(frozen=True, slots=True)
class MountTemp:
    target: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class MountSecret:
    target: str
    secret: Secret
    owner: str = ""
    mode: int = 0o400


@dataclass(frozen=True, slots=True)
class MountSocket:
    """A unix socket of the client's machine, `path` there; a step's connections are passed on by the engine."""

    target: str
    path: str
    owner: str = ""


StepMount = MountTree | MountCache | MountTemp | MountSecret | MountSocket


@dataclass(frozen=True, slots=True)
class Binding:
    """A service that a step reaches under `alias`."""

    alias: str
    service: Any  # api.values.Service: an `Exec` with ports, or a tunnel


@dataclass(frozen=True, slots=True, eq=False)
class Exec(Operation):
    """One command in a container: the step.

    `network` "none" is no network but the step's own loopback. `hidden` are secrets that its root may have in files: what
    it prints hasn't. `origin` is where its text stands (a Dockerfile's line), for errors; it doesn't count.
    """

    root: Operation
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    volatile_env: tuple[tuple[str, str], ...] = ()
    secret_env: tuple[tuple[str, Secret], ...] = ()
    cwd: str = "/"
    user: str = ""
    mounts: tuple[StepMount, ...] = ()
    bindings: tuple[Binding, ...] = ()
    stdin: str = field(default="", repr=False)
    redirect_stdin: str = ""
    redirect_stdout: str = ""
    redirect_stderr: str = ""
    expect: str = "SUCCESS"
    nested: bool = False
    privileged: bool = False
    no_init: bool = False
    platform: str = "linux/amd64"
    network: str = ""
    hidden: tuple[Secret, ...] = ()
    origin: str = ""

    @property
    def parent(self) -> Operation | None:
        return self.root


@dataclass(frozen=True, slots=True, eq=False)
class Output(Operation):
    """The root after a step, or (with `mount`) what a step left in the mounted tree with that index."""

    exec: Exec
    mount: int | None = None

    @property
    def parent(self) -> Operation | None:
        return self.exec
