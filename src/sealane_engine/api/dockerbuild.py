"""Directory.dockerBuild: a Dockerfile as a chain of operations, the same that `withExec` and `withFile` make."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealane_engine.api.paths import seen_directory
from sealane_engine.api.query import default_platform
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Container, Directory, config_from_oci, join
from sealane_engine.errors import NotFound, Unsupported
from sealane_engine.graph.operation import (
    Copy,
    CopyFiles,
    Edit,
    Exec,
    ImageTree,
    MakeDirectory,
    MountCache,
    MountSecret,
    MountTemp,
    MountTree,
    Operation,
    Output,
    Ref,
    Scratch,
    StepMount,
    WriteFile,
)

if TYPE_CHECKING:
    from sealane_engine.dockerfile.build import CopyStep, RunStep
    from sealane_engine.dockerfile.mounts import RunMount
    from sealane_engine.secrets.secret import Secret

field = Fields("Directory")
CACHES = "dockerfile"
"""The namespace of caches that Dockerfiles mount: their ids are paths, which no module's cache volume should meet."""


@field("dockerBuild")
async def docker_build(
    ctx: Context,
    self: Directory,
    *,
    dockerfile: str = "Dockerfile",
    platform: str | None = None,
    buildArgs: list[dict[str, str]] | None = None,
    target: str = "",
    secrets: list[Secret] | None = None,
    noInit: bool = False,
    ssh: Any = None,
) -> Container:
    from sealane_engine.dockerfile.build import Options, build
    from sealane_engine.dockerfile.plan import find_target, plan

    if ssh is not None:
        raise Unsupported("Directory.dockerBuild(ssh) is not implemented by the embedded engine")
    wanted = platform or default_platform()
    arguments = {each["name"]: each["value"] for each in buildArgs or ()}
    text, context = await _read(ctx, self, dockerfile)
    planned = plan(text, arguments, build_platform=default_platform(), target_platform=wanted)
    builder = GraphBuilder(ctx, context, {each.name: each for each in secrets or ()}, no_init=noInit)
    options = Options(arguments, default_platform(), wanted)
    built = await build(builder, planned, find_target(planned, target), options)
    return Container(root=built.state, config=config_from_oci(built.config), platform=wanted)


async def _read(ctx: Context, self: Directory, dockerfile: str) -> tuple[str, Operation]:
    """The Dockerfile's text, and the context without what .dockerignore leaves out."""
    from sealane_engine.dockerfile import errors, ignore

    view, root = await seen_directory(ctx, self.at)

    def text_of(path: str) -> str | None:
        entry = view.stat(join(root, path))
        if entry is None or entry.kind != "file":
            return None
        with view.open(entry.path) as file:
            return file.read().decode(errors="replace")

    text = text_of(dockerfile)
    if text is None:
        raise errors.missing(dockerfile)
    ignored = next((found for name in ignore.names(dockerfile) if (found := text_of(name)) is not None), "")
    patterns = ignore.parse(ignored)
    if not patterns and root == "/":
        return text, self.at.tree
    return text, Edit(Scratch(), Copy(self.at, "/", exclude=patterns))


@dataclass(frozen=True, slots=True)
class GraphBuilder:
    """Builds roots as operations: nothing runs before somebody wants the result (see `dockerfile.build.Builder`)."""

    ctx: Context
    context: Operation
    secrets: Mapping[str, Secret]
    no_init: bool = False

    async def scratch(self, platform: str) -> Operation:  # noqa: ARG002  (what is empty has no platform)
        return Scratch()

    async def image(self, ref: str, platform: str) -> tuple[Operation, Mapping[str, Any]]:
        image = await self.ctx.engine.images.resolve(ref, platform, labels=self.ctx.client.labels)
        return ImageTree(image), image.config.get("config") or {}

    async def make_directory(self, state: Operation, path: str) -> Operation:
        return state if path == "/" else Edit(state, MakeDirectory(path))

    async def copy(self, state: Operation, step: CopyStep[Operation]) -> Operation:
        if step.urls:
            raise Unsupported(
                f"line {step.line} of the Dockerfile: ADD {step.urls[0]} (a URL) is not implemented by the embedded engine",
                hint="fetch it in a RUN step",
            )
        action = CopyFiles(
            Ref(self.context if step.source is None else step.source),
            step.paths,
            step.dest,
            owner=step.owner,
            mode=step.mode,
            exclude=step.exclude,
            parents=step.parents,
            unpack=step.unpack,
            files=step.files,
            line=step.line,
        )
        return Edit(state, action)

    async def run(self, state: Operation, step: RunStep[Operation], platform: str) -> Operation:
        if step.network not in ("", "default"):
            raise Unsupported(
                f"line {step.line} of the Dockerfile: RUN --network={step.network} is not implemented by the embedded engine"
            )
        self.ctx.engine.allow_privileged(step.security == "insecure", f"line {step.line}: RUN --security=insecure")
        mounts: list[StepMount] = []
        secret_env: list[tuple[str, Secret]] = []
        for index, mount in enumerate(step.mounts):
            mounts += await self._mount(index, mount, step, secret_env)
        if step.script is not None:
            path, content = step.script
            name = "/" + posixpath.basename(path)
            written = Edit(Scratch(), WriteFile(name, content.encode(), 0o755))
            mounts.append(MountTree(path, Ref(written, name), kind="file", read_only=True))
        command = Exec(
            root=state,
            args=step.args,
            env=step.env,
            secret_env=tuple(secret_env),
            cwd=step.cwd,
            user=step.user,
            mounts=tuple(mounts),
            privileged=step.security == "insecure",
            no_init=self.no_init,
            platform=platform,
        )
        return Output(command)

    async def _mount(
        self, index: int, mount: RunMount, step: RunStep[Operation], secret_env: list[tuple[str, Secret]]
    ) -> list[StepMount]:
        owner = "" if mount.uid is None and mount.gid is None else f"{mount.uid or 0}:{mount.gid or 0}"
        match mount.kind:
            case "bind":
                return [await self._bind(mount, step.sources.get(index, self.context))]
            case "cache":
                source = step.sources.get(index)
                seed = None if source is None else Ref(source, join("/", mount.source))
                sharing = mount.sharing.upper()
                return [MountCache(mount.target, mount.id, CACHES, sharing, seed, owner)]
            case "tmpfs":
                return [MountTemp(mount.target, mount.size)]
            case "secret":
                return self._secret(mount, step, owner, secret_env)
        raise Unsupported(f"line {step.line} of the Dockerfile: RUN --mount=type={mount.kind} is not implemented")

    async def _bind(self, mount: RunMount, source: Operation) -> MountTree:
        at = Ref(source, join("/", mount.source))
        view = await self.ctx.engine.solver.see(at, self.ctx.asker)
        entry = view.stat(at.path)
        kind = "file" if entry is not None and entry.kind == "file" else "directory"
        return MountTree(mount.target, at, kind=kind, read_only=mount.read_only)

    def _secret(
        self, mount: RunMount, step: RunStep[Operation], owner: str, secret_env: list[tuple[str, Secret]]
    ) -> list[StepMount]:
        secret = self.secrets.get(mount.id)
        if secret is None:
            if mount.required:
                raise NotFound(
                    f"line {step.line} of the Dockerfile: secret {mount.id}: not found",
                    reason="secret-not-found",
                    hint="pass a secret of that name to dockerBuild(secrets)",
                )
            return []
        if mount.env:
            secret_env.append((mount.env, secret))
        if not mount.target:
            return []
        return [MountSecret(mount.target, secret, owner, 0o400 if mount.mode is None else mount.mode)]
