"""A module's source: where its dagger.json is, what of its surroundings goes along, and what names its content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.api.values import Directory
from sealane_engine.errors import NotFound, Unsupported
from sealane_engine.graph.keys import digest_of
from sealane_engine.graph.operation import HostDirectory, Ref
from sealane_engine.modules.config import FILE, ModuleConfig, find, git_root, load

if TYPE_CHECKING:
    from sealane_engine.graph.solve import Asker
    from sealane_engine.protocol.client import Client
    from sealane_engine.session import Engine

_REMOTE = ("http://", "https://", "git@", "ssh://", "github.com/", "gitlab.com/", "bitbucket.org/")
_ALWAYS_OUT = ("**/.git", "**/.venv", "**/__pycache__", "**/node_modules")


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """A module on the client's machine. `root` has the dagger.json; `context` is the git working copy, or `root`.

    `config` is None where there is no dagger.json.
    """

    ref: str
    client: Client
    root: Path
    context: Path
    config: ModuleConfig | None

    @property
    def subpath(self) -> str:
        """Where `root` is in the context."""
        return str(self.root.relative_to(self.context))

    @property
    def code(self) -> str:
        """Where the code is in the context."""
        assert self.config is not None
        return str((self.root / self.config.source).relative_to(self.context))

    def needs_config(self) -> ModuleConfig:
        if self.config is None:
            raise NotFound(
                f"no {FILE} in {self.root} or above it", reason="module-not-found", hint="check the module's path"
            )
        return self.config

    def directory(self) -> Directory:
        """The part of the context that the module's code may see."""
        config = self.needs_config()
        inside = "" if self.subpath == "." else f"{self.subpath}/"
        code = "" if self.code == "." else f"{self.code}/"
        include = [f"{inside}{FILE}", f"{code}**" if code else "**"]
        exclude = list(_ALWAYS_OUT)
        for pattern in config.include:
            if pattern.startswith("!"):
                exclude.append(f"{inside}{pattern[1:]}")
            else:
                include.append(f"{inside}{pattern}")
        if "**" in include:
            include = []
        return Directory(Ref(HostDirectory(str(self.context), tuple(include), tuple(exclude))))

    async def digest(self, engine: Engine, asker: Asker) -> str:
        """Names what the module is: its content and its configuration, wherever it lies."""
        config = self.needs_config()
        content = await engine.solver.content(self.directory().at, asker)
        return digest_of(["module-source", content, self.subpath, config.name, config.sdk, config.source])


def find_source(engine: Engine, client: Client, ref: str, *, find_up: bool = True) -> ModuleSource:
    """The source that a reference names: a path of the client's machine, looked for upwards."""
    if ref.startswith(_REMOTE) or ".git@" in ref:
        raise Unsupported(
            f"a module from git ({ref}) can't be loaded by the embedded engine yet",
            hint="clone it and name its path, or run on a Dagger engine: sealane --engine dagger",
        )
    start = engine.client_path(client, ref or ".")
    folder = find(start) if find_up else (start if (start / FILE).is_file() else None)
    root = folder or start
    return ModuleSource(
        ref=ref, client=client, root=root, context=git_root(root) or root, config=load(root) if folder else None
    )
