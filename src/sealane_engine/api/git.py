"""Git: remote repositories, and those that lie in a directory."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
import hashlib
import os
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.api.changeset import Changeset
from sealane_engine.api.paths import seen_directory, tree_exists
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory, Service, Socket
from sealane_engine.errors import InvalidInput
from sealane_engine.git import checkout
from sealane_engine.git.command import Login, LoginNeeded, host_login
from sealane_engine.git.mirror import Mirror, leads, local_mirror, merge_base, remote_mirror
from sealane_engine.git.refs import Found, Refs, check_commit
from sealane_engine.git.submodules import MAX_DEPTH, absolute, submodules
from sealane_engine.git.url import GitURL, candidates
from sealane_engine.graph.edits import ignore_files
from sealane_engine.graph.operation import Copy, Edit, Filled, Ref, Remove
from sealane_engine.host.patterns import Filter

if TYPE_CHECKING:
    from sealane_engine.net.route import Route
    from sealane_engine.secrets.secret import Secret
    from sealane_engine.store.view import TreeView

query = Fields("Query")
directory = Fields("Directory")
repository = Fields("GitRepository")
reference = Fields("GitRef")


@dataclass(frozen=True, slots=True)
class GitRepository:
    """`source` is the directory that a local one lies in; `head` is what its address named, for HEAD."""

    mirror: Mirror
    refs: Refs
    url: str = ""
    head: str = ""
    keep_git: bool = True
    source: Directory | None = None


@dataclass(frozen=True, slots=True)
class GitRef:
    repository: GitRepository
    found: Found


# ---- repositories


@query("git")
async def git_(
    ctx: Context,
    self: None,
    *,
    url: str,
    keepGitDir: bool = True,
    sshKnownHosts: str = "",
    sshAuthSocket: Socket | None = None,
    httpAuthUsername: str = "",
    httpAuthToken: Secret | None = None,
    httpAuthHeader: Secret | None = None,
    experimentalServiceHost: Service | None = None,
) -> GitRepository:
    problem: LoginNeeded | None = None
    for each in candidates(url):
        login = _login(ctx, each, httpAuthUsername, httpAuthToken, httpAuthHeader)
        if each.scheme == "ssh":
            login = await _ssh_login(ctx, login, sshKnownHosts, sshAuthSocket)
        route = await ctx.route(experimentalServiceHost, each.host)
        await _check_nested(ctx, each, route)
        try:
            return await _open(ctx, each, login, keepGitDir, route)
        except LoginNeeded as error:
            problem = problem or error
    assert problem is not None
    raise problem


async def _check_nested(ctx: Context, url: GitURL, route: Route | None) -> None:
    """A module's session has no way to this machine's files and ports."""
    from sealane_engine.http.fetch import check_host

    if ctx.client.extra.get("workdir") is not None or leads(route, url):
        return
    if url.scheme == "file":
        ctx.engine.need_machine(ctx.client, f"repository {url.url}")
    await check_host(f"{url.scheme}://{url.host}{f':{url.port}' if url.port else ''}")


async def _open(ctx: Context, url: GitURL, login: Login, keep_git: bool, route: Route | None) -> GitRepository:
    mirror = remote_mirror(ctx.engine.options.home, url, login, route=route)
    try:
        refs = await mirror.refs()
    except LoginNeeded:
        asked = url.scheme in ("http", "https") and not (login.token or login.header or url.password)
        if not asked or ctx.client.extra.get("workdir") is None:
            raise
        known = await host_login(url)  # as the user's own git would
        if known is None:
            raise
        mirror = remote_mirror(ctx.engine.options.home, url, known, route=route)
        refs = await mirror.refs()
    return GitRepository(mirror, refs, url.url, url.ref, keep_git)


def _login(ctx: Context, url: GitURL, user: str, token: Secret | None, header: Secret | None) -> Login:
    if url.scheme not in ("http", "https"):
        return Login()
    reveal = ctx.engine.secrets.reveal
    if token is not None:
        return Login(user=user, token=reveal(token).decode().strip(), identity=f"token:{user}:{token.handle}")
    if header is not None:
        return Login(header=reveal(header).decode(), identity=f"header:{header.handle}")
    return Login()


async def _ssh_login(ctx: Context, login: Login, known_hosts: str, socket: Socket | None) -> Login:
    own = ctx.client.extra.get("workdir") is not None
    agent = socket.path if socket is not None else os.environ.get("SSH_AUTH_SOCK", "") if own else ""
    if not agent:
        raise LoginNeeded(
            "SSH URLs are not supported without an SSH socket",
            reason="git-login",
            hint="start an SSH agent (SSH_AUTH_SOCK), or give sshAuthSocket",
        )
    if known_hosts:
        file = ctx.engine.scratch / f"known-hosts-{hashlib.sha256(known_hosts.encode()).hexdigest()[:16]}"
        await asyncio.to_thread(file.write_text, known_hosts.rstrip("\n") + "\n")
        return replace(login, agent=agent, known_hosts=(str(file),), strict=True, identity=f"ssh:{agent}")
    files = (ctx.engine.options.home / "git" / "known_hosts", Path.home() / ".ssh" / "known_hosts")
    return replace(login, agent=agent, known_hosts=tuple(map(str, files)), identity=f"ssh:{agent}")


@directory("asGit")
async def as_git(ctx: Context, self: Directory) -> GitRepository:
    view, root = await seen_directory(ctx, self.at)
    mirror = await local_mirror(ctx.engine.options.home, view, root)
    return GitRepository(mirror, await mirror.refs(), source=self)


@repository("url")
async def url_of(ctx: Context, self: GitRepository) -> str | None:
    return self.url or None


@repository("head")
async def head(ctx: Context, self: GitRepository) -> GitRef:
    return GitRef(self, self.refs.lookup(self.head or "HEAD"))


@repository("ref")
async def ref(ctx: Context, self: GitRepository, *, name: str) -> GitRef:
    return await head(ctx, self) if name == "HEAD" else GitRef(self, self.refs.lookup(name))


@repository("branch")
async def branch(ctx: Context, self: GitRepository, *, name: str) -> GitRef:
    return GitRef(self, self.refs.lookup(f"refs/heads/{name.removeprefix('refs/heads/')}"))


@repository("tag")
async def tag(ctx: Context, self: GitRepository, *, name: str) -> GitRef:
    return GitRef(self, self.refs.lookup(f"refs/tags/{name.removeprefix('refs/tags/')}"))


@repository("commit")
async def commit(ctx: Context, self: GitRepository, **given: str) -> GitRef:
    return GitRef(self, Found(check_commit(given["id"])))


@repository("latestVersion")
async def latest_version(ctx: Context, self: GitRepository) -> GitRef:
    return GitRef(self, self.refs.lookup(f"refs/tags/{self.refs.latest_version()}"))


@repository("branches")
async def branches(ctx: Context, self: GitRepository, *, patterns: list[str] | None = None) -> list[str]:
    return self.refs.branches(patterns or ())


@repository("tags")
async def tags(ctx: Context, self: GitRepository, *, patterns: list[str] | None = None) -> list[str]:
    return self.refs.tags(patterns or ())


@repository("uncommitted")
async def uncommitted(ctx: Context, self: GitRepository) -> Changeset:
    """From what HEAD says to what the directory has; what is ignored and not tracked doesn't count."""
    committed = await tree(ctx, await head(ctx, self), discardGitDir=True)
    if self.source is None or not await tree_exists(
        ctx, Ref(self.source.at.tree, f"{self.source.at.path}/.git"), None, True
    ):
        return Changeset(committed, committed)  # a repository without files of its own
    dirty = self.source
    view, root = await seen_directory(ctx, dirty.at)
    head_view, head_root = await seen_directory(ctx, committed.at)
    extra = await asyncio.to_thread(_untracked, view, root, head_view, head_root)
    clean = dirty.at.tree
    if extra:
        clean = Edit(clean, Remove(tuple(posixpath.join(root, path) for path in extra)))
    clean = Edit(clean, Copy(committed.at, root))
    return Changeset(Directory(Ref(clean, root), dirty.platform), dirty)


def _untracked(view: TreeView, root: str, committed: TreeView, committed_root: str) -> list[str]:
    """Paths that HEAD doesn't have and no .gitignore names; a directory without any other is one path."""
    rules = Filter(gitignore=ignore_files(view, root))
    tracked = {posixpath.relpath(path, committed_root) for path, _ in committed.walk(committed_root)}
    extra: list[str] = []
    kept: set[str] = set()
    for path, entry in view.walk(root):
        relative = posixpath.relpath(path, root)
        if relative in (".", ".git") or relative.startswith(".git/") or relative in tracked:
            continue
        if rules.match(relative, entry.kind == "dir"):
            extra.append(relative)
        else:
            kept.update(_parents(relative))
    gone = [path for path in extra if path not in kept]
    return [path for path in gone if posixpath.dirname(path) not in set(gone)]


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


# ---- references


@reference("commit")
async def ref_commit(ctx: Context, self: GitRef) -> str:
    return self.found.commit


@reference("ref")
async def ref_name(ctx: Context, self: GitRef) -> str:
    return self.found.name or self.found.commit


@reference("tree")
async def tree(
    ctx: Context, self: GitRef, *, discardGitDir: bool = False, depth: int = 1, includeTags: bool = False
) -> Directory:
    mirror, found = self.repository.mirror, self.found
    keep = self.repository.keep_git and not discardGitDir

    async def fill(folder: Path) -> None:
        await mirror.fetch((found,), depth=depth if keep else 1, tags=keep and includeTags)
        if keep:
            await checkout.write_repository(mirror, found, folder, depth=depth, tags=includeTags)
        else:
            await checkout.write_files(mirror, found, folder, folder.with_name(f"{folder.name}.index"))
        if mirror.url is not None:
            await _fill_submodules(ctx, self.repository, found.commit, folder, MAX_DEPTH)

    inputs: tuple[tuple[str, object], ...] = (("commit", found.commit), ("repository", keep), ("submodules", True))
    if keep:
        inputs += (("depth", depth), ("tags", includeTags), ("ref", found.name), ("origin", self.repository.url))
        if includeTags:
            inputs += (("tag-objects", [each for each in self.repository.refs.entries if "refs/tags/" in each[0]]),)
    return Directory(Ref(Filled("git-tree", inputs, fill)))


async def _fill_submodules(ctx: Context, repository: GitRepository, commit: str, folder: Path, depth: int) -> None:
    """The files of a commit's submodules in their places, and of theirs; without repositories of their own."""
    known = repository.mirror.url
    assert known is not None
    for each in await submodules(repository.mirror, commit):
        url = candidates(absolute(each.url, known.url))[0]
        if url.scheme == "file" and known.scheme != "file":
            raise InvalidInput(
                f"submodule {each.path!r} is at {each.url}: a repository of another machine names none of this one",
                reason="git-submodule",
            )
        if depth == 0:
            raise InvalidInput(
                f"submodules of submodules of {repository.url} go deeper than {MAX_DEPTH}", reason="git-submodule"
            )
        route = repository.mirror.route
        await _check_nested(ctx, url, route)
        same_host = (url.scheme, url.host, url.port) == (known.scheme, known.host, known.port)
        login = repository.mirror.login if same_host else Login()
        if url.scheme == "ssh" and not login.agent:
            login = await _ssh_login(ctx, login, "", None)
        inner = await _open(ctx, url, login, False, route)
        place, wanted = folder / each.path, Found(each.commit)
        await inner.mirror.fetch((wanted,), depth=1)
        index = ctx.engine.scratch / f"index-{hashlib.sha256(str(place).encode()).hexdigest()[:16]}"
        await checkout.write_files(inner.mirror, wanted, place, index)
        await _fill_submodules(ctx, inner, each.commit, place, depth - 1)


@reference("commonAncestor")
async def common_ancestor(ctx: Context, self: GitRef, *, other: GitRef) -> GitRef:
    found = await merge_base(self.repository.mirror, self.found, other.repository.mirror, other.found)
    if not found:
        raise InvalidInput("the two commits have no common ancestor", reason="git-no-ancestor")
    return GitRef(self.repository, Found(found))
