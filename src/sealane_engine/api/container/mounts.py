"""Container: mounted directories, files, cache volumes, temporary directories and secrets."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sealane_engine.api.container.files import where
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import CacheVolume, Container, Directory, File, Socket
from sealane_engine.errors import InvalidInput
from sealane_engine.graph.operation import (
    ChangeOwner,
    Copy,
    Edit,
    MountCache,
    MountSecret,
    MountSocket,
    MountTemp,
    MountTree,
    Ref,
    Scratch,
    StepMount,
)

if TYPE_CHECKING:
    from sealane_engine.secrets.secret import Secret

field = Fields("Container")


def _mounted(self: Container, mount: StepMount) -> Container:
    """A mount at a target takes the place of the one that was there, and of those below it."""
    if mount.target == "/":
        raise InvalidInput("can't mount over the root", reason="mount-root", hint="use withRootfs")
    kept = tuple(each for each in self.mounts if not f"{each.target}/".startswith(f"{mount.target}/"))
    return replace(self, mounts=(*kept, mount))


@field("withMountedDirectory")
async def with_mounted_directory(
    ctx: Context,
    self: Container,
    *,
    path: str,
    source: Directory,
    owner: str = "",
    readOnly: bool = False,
    expand: bool = False,
) -> Container:
    at = source.at
    if owner:
        ids = await ctx.owner_ids(self.root, owner)
        at = Ref(Edit(at.tree, ChangeOwner(at.path, ids)), at.path)  # in its place: its own mode is kept
    target = where(self, path, expand).rstrip("/") or "/"
    return _mounted(self, MountTree(target, at, read_only=readOnly))


@field("withMountedFile")
async def with_mounted_file(
    ctx: Context, self: Container, *, path: str, source: File, owner: str = "", expand: bool = False
) -> Container:
    at = source.at
    if owner:
        ids = await ctx.owner_ids(self.root, owner)
        name = at.path.rsplit("/", 1)[-1]
        at = Ref(Edit(Scratch(), Copy(at, f"/{name}", kind="file", owner=ids)), f"/{name}")
    return _mounted(self, MountTree(where(self, path, expand).rstrip("/"), at, kind="file"))


@field("withMountedCache")
async def with_mounted_cache(
    ctx: Context,
    self: Container,
    *,
    path: str,
    cache: CacheVolume,
    source: Directory | None = None,
    sharing: str | None = None,
    owner: str = "",
    expand: bool = False,
) -> Container:
    mount = MountCache(
        where(self, path, expand).rstrip("/") or "/",
        cache.key,
        cache.namespace,
        sharing if sharing and sharing != "SHARED" else cache.sharing,
        source.at if source else cache.source,
        owner or cache.owner,
    )
    return _mounted(self, mount)


@field("withMountedTemp")
async def with_mounted_temp(
    ctx: Context, self: Container, *, path: str, size: int | None = None, expand: bool = False
) -> Container:
    return _mounted(self, MountTemp(where(self, path, expand).rstrip("/"), size or None))


@field("withMountedSecret")
async def with_mounted_secret(
    ctx: Context,
    self: Container,
    *,
    path: str,
    source: Secret,
    owner: str = "",
    mode: int | None = None,
    expand: bool = False,
) -> Container:
    target = where(self, path, expand).rstrip("/")
    return _mounted(self, MountSecret(target, source, owner, 0o400 if mode is None else mode))


@field("withUnixSocket")
async def with_unix_socket(
    ctx: Context, self: Container, *, path: str, source: Socket, owner: str = "", expand: bool = False
) -> Container:
    return _mounted(self, MountSocket(where(self, path, expand).rstrip("/"), source.path, owner))


@field("withoutUnixSocket")
async def without_unix_socket(ctx: Context, self: Container, *, path: str, expand: bool = False) -> Container:
    target = where(self, path, expand).rstrip("/")
    return replace(
        self, mounts=tuple(each for each in self.mounts if each.target != target or not isinstance(each, MountSocket))
    )


@field("withoutMount")
async def without_mount(ctx: Context, self: Container, *, path: str, expand: bool = False) -> Container:
    target = where(self, path, expand).rstrip("/")
    return replace(self, mounts=tuple(each for each in self.mounts if each.target != target))


@field("mounts")
async def mounts(ctx: Context, self: Container) -> list[str]:
    return [each.target for each in self.mounts if not isinstance(each, MountSocket)]
