"""Container: files and directories of its root and of what is mounted on it."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

from dataclasses import replace

from sealane_engine.api.container.config import expanded
from sealane_engine.api.paths import Stat, stat_of, tree_exists
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Container, Directory, File, join
from sealane_engine.errors import InvalidInput
from sealane_engine.graph.operation import (
    Action,
    Copy,
    Edit,
    Failing,
    MakeSymlink,
    MountCache,
    MountTemp,
    MountTree,
    Operation,
    Ref,
    Remove,
    WriteFile,
)

field = Fields("Container")


def locate(self: Container, path: str) -> tuple[int | None, Ref]:
    """Where a path of the container lies: the index of the mounted tree that holds it (None: the root), and the place."""
    best: int | None = None
    for index, mount in enumerate(self.mounts):
        inside = path == mount.target or path.startswith(mount.target.rstrip("/") + "/")
        deeper = best is None or len(mount.target) >= len(self.mounts[best].target)
        if inside and deeper and isinstance(mount, MountTree | MountCache | MountTemp):
            best = index
    if best is None:
        return None, Ref(Failing(self.error) if self.error else self.root, path)
    mount = self.mounts[best]
    if isinstance(mount, MountCache | MountTemp):
        kind = "cache" if isinstance(mount, MountCache) else "tmpfs"
        raise InvalidInput(
            f"{path}: cannot retrieve path from {kind}",
            reason=f"path-in-{kind}",
            hint="copy what you need out of it in a step",
        )
    assert isinstance(mount, MountTree)
    rest = path[len(mount.target) :].strip("/")
    return best, Ref(mount.source.tree, join(mount.source.path, rest) if rest else mount.source.path)


def edited(self: Container, path: str, make: object) -> Container:
    """The container with an edit at a path; `make(inner path)` gives the action."""
    index, ref = locate(self, path)
    action: Action = make(ref.path + ("/" if path.endswith("/") and ref.path != "/" else ""))  # type: ignore[operator]
    if index is None:
        return replace(self, root=Edit(self.root, action))
    mount = self.mounts[index]
    assert isinstance(mount, MountTree)
    source = Ref(Edit(mount.source.tree, action), mount.source.path)
    return replace(self, mounts=_set(self.mounts, index, replace(mount, source=source)))


def _set(mounts: tuple[object, ...], index: int, mount: object) -> tuple:  # type: ignore[type-arg]
    return (*mounts[:index], mount, *mounts[index + 1 :])


def where(self: Container, path: str, expand: bool) -> str:
    """An absolute path; a trailing slash is kept, it says `into`."""
    text = expanded(self, path, expand)
    joined = join(self.cwd, text)
    return joined + "/" if text.endswith("/") and joined != "/" else joined


@field("rootfs")
async def rootfs(ctx: Context, self: Container) -> Directory:
    return Directory(Ref(Failing(self.error) if self.error else self.root), self.platform)


@field("withRootfs")
async def with_rootfs(ctx: Context, self: Container, *, directory: Directory) -> Container:
    at = directory.at
    root: Operation = at.tree if at.path == "/" else Edit(Directory().at.tree, Copy(at, "/"))
    return replace(self, root=root, last=None)


@field("directory")
async def directory(ctx: Context, self: Container, *, path: str, expand: bool = False) -> Directory:
    return Directory(locate(self, where(self, path, expand).rstrip("/") or "/")[1], self.platform)


@field("file")
async def file(ctx: Context, self: Container, *, path: str, expand: bool = False) -> File:
    return File(locate(self, where(self, path, expand).rstrip("/") or "/")[1])


@field("exists")
async def exists(
    ctx: Context,
    self: Container,
    *,
    path: str,
    expectedType: str | None = None,
    doNotFollowSymlinks: bool = False,
    expand: bool = False,
) -> bool:
    at = locate(self, where(self, path, expand).rstrip("/") or "/")[1]
    return await tree_exists(ctx, at, expectedType, doNotFollowSymlinks)


@field("stat")
async def stat(ctx: Context, self: Container, *, path: str, doNotFollowSymlinks: bool = False) -> Stat | None:
    return await stat_of(ctx, locate(self, where(self, path, False).rstrip("/") or "/")[1], doNotFollowSymlinks)


@field("withNewFile")
async def with_new_file(
    ctx: Context,
    self: Container,
    *,
    path: str,
    contents: str,
    permissions: int | None = None,
    owner: str = "",
    expand: bool = False,
) -> Container:
    mode = 0o644 if permissions is None else permissions
    data = contents.encode()
    return edited(self, where(self, path, expand), lambda inner: WriteFile(inner, data, mode, owner))


@field("withFile")
async def with_file(
    ctx: Context,
    self: Container,
    *,
    path: str,
    source: File,
    permissions: int | None = None,
    owner: str = "",
    expand: bool = False,
) -> Container:
    return edited(
        self,
        where(self, path, expand),
        lambda inner: Copy(source.at, inner, kind="file", owner=owner, mode=permissions),
    )


@field("withFiles")
async def with_files(
    ctx: Context,
    self: Container,
    *,
    path: str,
    sources: list[File],
    permissions: int | None = None,
    owner: str = "",
    expand: bool = False,
) -> Container:
    for source in sources:
        target = where(self, path, expand).rstrip("/") + "/"
        self = await with_file(ctx, self, path=target, source=source, permissions=permissions, owner=owner)
    return self


@field("withDirectory")
async def with_directory(
    ctx: Context,
    self: Container,
    *,
    path: str,
    source: Directory,
    exclude: list[str] | None = None,
    include: list[str] | None = None,
    gitignore: bool = False,
    owner: str = "",
    expand: bool = False,
    permissions: int | None = None,
) -> Container:
    return edited(
        self,
        where(self, path, expand).rstrip("/") or "/",
        lambda inner: Copy(
            source.at,
            inner,
            include=tuple(include or ()),
            exclude=tuple(exclude or ()),
            gitignore=gitignore,
            owner=owner,
            mode=permissions,
        ),
    )


@field("withSymlink")
async def with_symlink(ctx: Context, self: Container, *, target: str, linkName: str, expand: bool = False) -> Container:
    return edited(self, where(self, linkName, expand), lambda inner: MakeSymlink(expanded(self, target, expand), inner))


async def _without(ctx: Context, self: Container, *, path: str, expand: bool = False) -> Container:
    """What is mounted at the path goes, and what is below the mount."""
    place = where(self, path, expand).rstrip("/") or "/"
    index, _ = locate(self, place)
    while index is not None and self.mounts[index].target == place:
        self = replace(self, mounts=(*self.mounts[:index], *self.mounts[index + 1 :]))
        index, _ = locate(self, place)
    return edited(self, place, lambda inner: Remove((inner,)))


field("withoutFile")(_without)
field("withoutDirectory")(_without)


@field("withoutFiles")
async def without_files(ctx: Context, self: Container, *, paths: list[str], expand: bool = False) -> Container:
    for path in paths:
        self = await _without(ctx, self, path=path, expand=expand)
    return self
