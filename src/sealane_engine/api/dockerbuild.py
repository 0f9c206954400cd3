"""Directory.dockerBuild: a Dockerfile as a chain of operations, the same that `withExec` and `withFile` make."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sealane_engine.api import git as api_git
from sealane_engine.api.http import fetched_file
from sealane_engine.api.paths import seen_directory
from sealane_engine.api.query import default_platform
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import FROM_LABEL, Container, Directory, Socket, config_from_oci, join
from sealane_engine.dockerfile.errors import bad
from sealane_engine.dockerfile.sources import is_git
from sealane_engine.errors import EngineError, InvalidInput, NotFound, Unsupported
from sealane_engine.git.url import parse as parse_git
from sealane_engine.graph.operation import (
    Copy,
    CopyFiles,
    Edit,
    Exec,
    ImageTree,
    MakeDirectory,
    MountCache,
    MountSecret,
    MountSocket,
    MountTemp,
    MountTree,
    Operation,
    Output,
    Ref,
    Scratch,
    StepMount,
    WriteFile,
)
from sealane_engine.oci.platform import normalised

if TYPE_CHECKING:
    from sealane_engine.dockerfile.builder import CopyStep, RunStep
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
    ssh: Socket | None = None,
) -> Container:
    from sealane_engine.dockerfile.build import Options, build
    from sealane_engine.dockerfile.checks import check
    from sealane_engine.dockerfile.plan import find_target, plan

    wanted = normalised(platform, default_platform()) if platform else default_platform()
    arguments = {each["name"]: each["value"] for each in buildArgs or ()}
    text, context = await _read(ctx, self, dockerfile)
    planned = plan(text, arguments, build_platform=default_platform(), target_platform=wanted)
    for each in check(text, planned):
        ctx.engine.events.emit("warning", ctx.client, message=f"{dockerfile}: {each}", reason="dockerfile-check")
    named = {each.name: each for each in secrets or ()}
    builder = GraphBuilder(ctx, context, named, dockerfile, no_init=noInit, agent=ssh)
    options = Options(arguments, default_platform(), wanted)
    built = await build(builder, planned, find_target(planned, target), options)
    config = replace(config_from_oci(built.config), author=built.author)
    epoch = _epoch(arguments)
    return Container(root=built.state, config=config, platform=wanted, epoch=epoch, hidden=tuple(secrets or ()))


def _epoch(arguments: Mapping[str, str]) -> int | None:
    """The build argument SOURCE_DATE_EPOCH, as BuildKit knows it. Empty: the dates in the image's layers stay."""
    given = arguments.get("SOURCE_DATE_EPOCH")
    if given is None:
        return FROM_LABEL
    if given and not (given.isascii() and given.isdigit()):
        raise InvalidInput(
            f"SOURCE_DATE_EPOCH={given} is no time: seconds since 1970 are wanted",
            reason="bad-epoch",
            hint="give what `git log -1 --format=%ct` prints",
        )
    return int(given) if given else None


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
    file: str = "Dockerfile"
    no_init: bool = False
    agent: Socket | None = None

    async def scratch(self, platform: str) -> Operation:  # noqa: ARG002  (what is empty has no platform)
        return Scratch()

    async def image(self, ref: str, platform: str) -> tuple[Operation, Mapping[str, Any]]:
        image = await self.ctx.engine.images.resolve(ref, platform, requester=self.ctx.client)
        return ImageTree(image), image.config.get("config") or {}

    async def make_directory(self, state: Operation, path: str, owner: str) -> Operation:
        return state if path == "/" else Edit(state, MakeDirectory(path, owner=owner))

    async def copy(self, state: Operation, step: CopyStep[Operation]) -> Operation:
        if step.paths or step.files or not step.urls:
            source = Ref(self.context if step.source is None else step.source)
            state = Edit(state, _action(step, source))
        for url in step.urls:
            git = is_git(url)
            fetched = await (self._checked_out(url, step) if git else self._fetched(url, step))
            path, exclude = fetched.path.lstrip("/") or ".", step.exclude if git else ()
            alone = replace(step, paths=(path,), files=(), exclude=exclude, parents=False)
            state = Edit(state, _action(alone, Ref(fetched.tree)))
        return state

    async def _fetched(self, url: str, step: CopyStep[Operation]) -> Ref:
        parsed = urlsplit(url)
        name = posixpath.basename(parsed.path)
        if not name and step.dest.endswith("/"):
            raise bad(step.line, f"can't determine a file name from {url}", hint="name a file as the destination")
        try:
            return await fetched_file(
                self.ctx, url, name or "file", None, step.checksum, self._header(parsed.hostname or "")
            )
        except EngineError as error:
            error.message = f"{self.file}:{step.line}: ADD {url}: {error.message}"
            raise

    async def _checked_out(self, url: str, step: CopyStep[Operation]) -> Ref:
        """The tree of a repository's commit, or a directory of it."""
        where = parse_git(url)
        token, header = (
            self.secrets.get(f"GIT_AUTH_{kind}.{where.host}") or self.secrets.get(f"GIT_AUTH_{kind}")
            for kind in ("TOKEN", "HEADER")
        )
        try:
            repository = await api_git.git_(
                self.ctx, None, url=url, sshAuthSocket=self.agent, httpAuthToken=token, httpAuthHeader=header
            )
            found = await api_git.head(self.ctx, repository)
            if step.checksum and found.found.commit != step.checksum:
                raise InvalidInput(
                    f"{where.ref or 'HEAD'} is commit {found.found.commit}, not {step.checksum}",
                    reason="git-checksum",
                    hint="review what has changed, and write the new commit as the checksum",
                )
            at = (await api_git.tree(self.ctx, found, discardGitDir=not step.keep_git)).at
        except EngineError as error:
            error.message = f"{self.file}:{step.line}: ADD {where.url}: {error.message}"
            raise
        return Ref(at.tree, join(at.path, where.subdir))

    def _header(self, host: str) -> str:
        """What the secrets say for a server: a whole header, or a token."""
        whole, token = (self.secrets.get(f"HTTP_AUTH_{kind}_{host}") for kind in ("HEADER", "TOKEN"))
        if whole is not None:
            return self.ctx.engine.secrets.reveal(whole).decode()
        return f"Bearer {self.ctx.engine.secrets.reveal(token).decode()}" if token is not None else ""

    async def run(self, state: Operation, step: RunStep[Operation], platform: str) -> Operation:
        if step.network == "host":
            raise Unsupported(
                f"{self.file}:{step.line}: RUN --network=host: a step never gets the host's network",
                hint="take the flag out; bind what it needs as a service",
            )
        self.ctx.engine.allow_privileged(
            step.security == "insecure", f"{self.file}:{step.line}: RUN --security=insecure"
        )
        mounts: list[StepMount] = []
        secret_env: list[tuple[str, Secret]] = []
        for index, mount in enumerate(step.mounts):
            mounts += self._mount(index, mount, step, secret_env)
        if step.script is not None:
            path, content = step.script
            name = "/" + posixpath.basename(path)
            written = Edit(Scratch(), WriteFile(name, content.encode(), 0o755))
            mounts.append(MountTree(path, Ref(written, name), kind="file", read_only=True))
        command = Exec(
            root=state,
            args=step.args,
            env=(*step.env, *self._agent_env(step)),
            secret_env=tuple(secret_env),
            cwd=step.cwd,
            user=step.user,
            mounts=tuple(mounts),
            privileged=step.security == "insecure",
            no_init=self.no_init,
            platform=platform,
            network="none" if step.network == "none" else "",
            origin=f"{self.file}:{step.line}: {step.text.partition(chr(10))[0]}",
        )
        return Output(command)

    def _agent_env(self, step: RunStep[Operation]) -> tuple[tuple[str, str], ...]:
        first = next((index for index, mount in enumerate(step.mounts) if mount.kind == "ssh"), None)
        return () if self.agent is None or first is None else (("SSH_AUTH_SOCK", _agent_path(step, first)),)

    def _mount(
        self, index: int, mount: RunMount, step: RunStep[Operation], secret_env: list[tuple[str, Secret]]
    ) -> list[StepMount]:
        owner = "" if mount.uid is None and mount.gid is None else f"{mount.uid or 0}:{mount.gid or 0}"
        match mount.kind:
            case "bind":
                at = Ref(step.sources.get(index, self.context), join("/", mount.source))
                return [MountTree(mount.target, at, kind="any", read_only=mount.read_only)]
            case "cache":
                source = step.sources.get(index)
                seed = None if source is None else Ref(source, join("/", mount.source))
                sharing = mount.sharing.upper()
                how = (sharing, seed, owner, mount.mode, mount.read_only)
                return [MountCache(mount.target, mount.id, CACHES, *how, by_id=True)]
            case "tmpfs":
                return [MountTemp(mount.target, mount.size)]
            case "secret":
                return self._secret(mount, step, owner, secret_env)
            case "ssh" if self.agent is not None:
                return [MountSocket(_agent_path(step, index), self.agent.path, owner)]
            case "ssh" if not mount.required:
                return []
        raise InvalidInput(
            f"{self.file}:{step.line}: RUN --mount=type=ssh,required=true: no agent was passed",
            reason="no-agent",
            hint="pass the agent's socket to dockerBuild(ssh)",
        )

    def _secret(
        self, mount: RunMount, step: RunStep[Operation], owner: str, secret_env: list[tuple[str, Secret]]
    ) -> list[StepMount]:
        secret = self.secrets.get(mount.id)
        if secret is None:
            if mount.required:
                raise NotFound(
                    f"{self.file}:{step.line}: secret {mount.id}: not found",
                    reason="secret-not-found",
                    hint="pass a secret of that name to dockerBuild(secrets)",
                )
            return []
        if mount.env:
            secret_env.append((mount.env, secret))
        if not mount.target:
            return []
        return [MountSecret(mount.target, secret, owner, 0o400 if mount.mode is None else mount.mode)]


def _agent_path(step: RunStep[Operation], index: int) -> str:
    """Where the agent's socket of a mount is; where BuildKit has it, if the mount doesn't say."""
    before = sum(mount.kind == "ssh" for mount in step.mounts[:index])
    return step.mounts[index].target or f"/run/buildkit/ssh_agent.{before}"


def _action(step: CopyStep[Operation], source: Ref) -> CopyFiles:
    return CopyFiles(
        source,
        step.paths,
        step.dest,
        owner=step.owner,
        mode=step.mode,
        exclude=step.exclude,
        parents=step.parents,
        unpack=step.unpack,
        files=step.files,
        link=step.link,
        line=step.line,
    )
