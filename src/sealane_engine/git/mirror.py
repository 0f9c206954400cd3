"""Bare repositories in the store's folder: mirrors of remote ones, and the git part of a directory.

git/<hash of the address and of who asks>/    what was fetched from a remote so far; `<hash>.lock` beside it
git/local-<content of .git>/                  a directory's own: objects hard-linked, its settings and hooks left behind
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import posixpath
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.errors import InvalidInput, Unsupported
from sealane_engine.git.command import GitFailed, Login, git, plain_environment, remote_environment
from sealane_engine.git.refs import Found, Refs
from sealane_engine.store import locks

if TYPE_CHECKING:
    from sealane_engine.git.url import GitURL
    from sealane_engine.net.route import Route
    from sealane_engine.store.view import Entry, TreeView

PORTS = {"http": 80, "git": 9418, "ssh": 22}
"""By which a service is reached, and its port when none is said."""

CONFIG = """\
[core]
\trepositoryformatversion = {version}
\tbare = true
[uploadpack]
\tallowAnySHA1InWant = true
{more}"""
_LINKED = ("HEAD", "packed-refs", "refs", "objects", "shallow")
_NEVER = ("objects/info/alternates", "objects/info/http-alternates")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A bare repository of ours. Without `url` it has all that it will ever have."""

    folder: Path
    url: GitURL | None = None
    login: Login = field(default_factory=Login)
    settings: tuple[tuple[str, str], ...] = ()
    scratch_name: str = field(default="refs/sealane/fetched", repr=False)
    route: Route | None = None

    async def refs(self) -> Refs:
        """What the remote has now; a directory's repository, what it has."""
        if self.url is None:
            return Refs.parse(await git(self.folder, "ls-remote", "--symref", "--", str(self.folder)))
        async with self._remote() as (url, environment):
            return Refs.parse(await git(Path("/"), "ls-remote", "--symref", "--", url, environment=environment))

    async def fetch(self, wanted: Sequence[Found], *, depth: int, tags: bool = False) -> None:
        """Have these commits here with so much of their history (0: all)."""
        if self.url is None:
            await self._check_local(wanted)
            return
        async with locks.locked(self.folder.with_name(self.folder.name + ".lock")):
            if not (self.folder / "HEAD").exists():
                await _make_bare(self.folder)
            missing = [each for each in wanted if not await self._has(each.commit, depth)]
            if missing:
                await self._fetch(missing, depth)
            if tags:
                await self._run_fetch(["+refs/tags/*:refs/tags/*"], depth)

    async def _check_local(self, wanted: Sequence[Found]) -> None:
        for each in wanted:
            await git(self.folder, "cat-file", "-e", f"{each.commit}^{{commit}}")

    async def _has(self, commit: str, depth: int) -> bool:
        try:
            await git(self.folder, "cat-file", "-e", f"{commit}^{{commit}}")
        except GitFailed:
            return False
        if not (self.folder / "shallow").exists():
            return True
        if depth <= 0:
            return False
        return int(await git(self.folder, "rev-list", "--first-parent", "--count", commit)) >= depth

    async def _fetch(self, wanted: Sequence[Found], depth: int) -> None:
        try:
            await self._run_fetch([each.commit for each in wanted], depth)
        except GitFailed as error:
            named = [f"+{each.name}:{self.scratch_name}/{number}" for number, each in enumerate(wanted) if each.name]
            if "dumb http transport" in str(error):  # a server of nothing but files knows no depth, and names alone
                await self._run_fetch([f"+refs/*:{self.scratch_name}/all/*"], 0)
            elif "unadvertised object" in str(error) and len(named) == len(wanted):
                # an old server gives nothing but what it has a name for
                await self._run_fetch(named, depth)
            else:
                raise
            await self._check_local(wanted)

    async def _run_fetch(self, specs: Sequence[str], depth: int) -> None:
        assert self.url is not None
        how = [f"--depth={depth}"] if depth > 0 else ["--unshallow"] if (self.folder / "shallow").exists() else []
        async with self._remote() as (url, environment):
            await git(
                self.folder,
                *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--force", *how),
                *("--", url, *specs),
                environment=environment,
            )

    @contextlib.asynccontextmanager
    async def _remote(self) -> AsyncIterator[tuple[str, Mapping[str, str]]]:
        """The address that git is given, and its environment; a service is there for as long as the block runs."""
        assert self.url is not None
        settings = dict(self.settings)
        if self.route is None or not leads(self.route, self.url):
            yield self.url.url, remote_environment(self.url, self.login, settings)
            return
        async with self.route.open(self.url.port or PORTS[self.url.scheme]) as port:
            url = self.url.at("127.0.0.1", port)
            alias = self.url.host if self.url.port in (None, PORTS["ssh"]) else f"[{self.url.host}]:{self.url.port}"
            try:
                yield url.url, remote_environment(url, self.login, settings, alias=alias)
            except GitFailed as error:
                place = f":{self.url.port}" if self.url.port else ""
                error.message = error.message.replace(f"127.0.0.1:{port}", f"{self.url.host}{place}")
                raise


def leads(route: Route | None, url: GitURL) -> bool:
    """Whether an address names the service that a route goes to. Raises Unsupported for one by HTTPS."""
    if route is None or url.host.lower() != route.host.lower():
        return False
    if url.scheme not in PORTS:
        raise Unsupported(
            f"{url.url}: git from a service by {url.scheme} is not implemented by the embedded engine",
            hint=f"serve it by one of {', '.join(PORTS)}",
        )
    return True


def remote_mirror(home: Path, url: GitURL, login: Login, *, route: Route | None = None) -> Mirror:
    """The mirror of a remote. Who asks with another login has another one: it may show more than is everybody's."""
    asked = (url.url, login.identity, url.password, *((route.key,) if route else ()))
    name = hashlib.sha256(repr(asked).encode()).hexdigest()[:32]
    parent = home / "git"
    parent.mkdir(mode=0o700, exist_ok=True)
    return Mirror(parent / name, url, login, route=route)


async def _make_bare(folder: Path, extensions: Iterable[str] = ()) -> None:
    """A new bare repository; it is there whole, or not at all."""
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=folder.parent))
    try:
        await git(fresh, "init", "--quiet", "--bare", "--template=")
        _write_config(fresh, extensions)
        await asyncio.to_thread(_put, fresh, folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)


def _write_config(folder: Path, extensions: Iterable[str]) -> None:
    lines = "".join(f"\t{line}\n" for line in extensions)
    more = f"[extensions]\n{lines}" if lines else ""
    (folder / "config").write_text(CONFIG.format(version=1 if lines else 0, more=more))


def _put(fresh: Path, folder: Path) -> None:
    with contextlib.suppress(FileExistsError, OSError):
        fresh.rename(folder)
    if not folder.exists():
        fresh.rename(folder)


async def local_mirror(home: Path, view: TreeView, root: str) -> Mirror:
    """The repository of a directory: its objects are linked, not copied, once for each state that it has."""
    return await asyncio.to_thread(_local_mirror, home, view, root)


def _local_mirror(home: Path, view: TreeView, root: str) -> Mirror:
    inside = posixpath.join(root, ".git")
    entry = view.stat(inside)
    if entry is None or entry.kind != "dir":
        inside = root
    if any(view.stat(posixpath.join(inside, name)) is None for name in ("HEAD", "objects", "refs")):
        raise InvalidInput(
            "not a git repository: the directory has no .git directory",
            reason="git-no-repository",
            hint="pass the repository's top directory, .git included",
        )
    parts = [(name, view.digest(posixpath.join(inside, name))) for name in _LINKED if view.stat(f"{inside}/{name}")]
    parent = home / "git"
    parent.mkdir(mode=0o700, exist_ok=True)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
    folder = parent / f"local-{digest}"
    if not (folder / "HEAD").exists():
        fresh = Path(tempfile.mkdtemp(prefix="new-", dir=parent))
        try:
            for name, _ in parts:
                _link(view, posixpath.join(inside, name), fresh / name, posixpath.join(inside, "objects"))
            (fresh / "objects" / "pack").mkdir(parents=True, exist_ok=True)
            (fresh / "refs").mkdir(exist_ok=True)
            _write_config(fresh, _extensions(view, inside))
            _put(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return Mirror(folder)


def _extensions(view: TreeView, inside: str) -> list[str]:
    """Of a repository's own settings, what says how to read it; all others might run something."""
    path = posixpath.join(inside, "config")
    entry = view.lstat(path)
    if entry is None or entry.kind != "file" or entry.size > 1 << 20:
        return []
    with view.open(path) as file:
        text = file.read().decode(errors="replace").lower()
    return ["objectFormat = sha256"] if "objectformat = sha256" in text else []


def _link(view: TreeView, source: str, target: Path, objects: str) -> None:
    top = view.lstat(source)
    if top is None:
        return
    if top.kind == "file":
        _link_file(top, target)
        return
    target.mkdir()
    for path, entry in view.walk(source):
        relative = posixpath.relpath(path, source)
        if relative == "." or posixpath.join("objects", posixpath.relpath(path, objects)) in _NEVER:
            continue
        if entry.kind == "dir":
            (target / relative).mkdir(exist_ok=True)
        elif entry.kind == "file":  # links, and what else there may be, lead out
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            _link_file(entry, target / relative)


def _link_file(entry: Entry, target: Path) -> None:
    try:
        os.link(entry.real, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(entry.real, target, follow_symlinks=False)


async def merge_base(one: Mirror, first: Found, other: Mirror, second: Found) -> str:
    """The best common ancestor of two commits, of one repository or of two."""
    if one.folder == other.folder:
        await one.fetch((first, second), depth=0)
    else:
        await one.fetch((first,), depth=0)
        await other.fetch((second,), depth=0)
    more = (("GIT_ALTERNATE_OBJECT_DIRECTORIES", str(other.folder / "objects")),)
    environment = plain_environment(extra=more if one.folder != other.folder else ())
    out = await git(one.folder, "merge-base", first.commit, second.commit, environment=environment)
    return out.strip()
