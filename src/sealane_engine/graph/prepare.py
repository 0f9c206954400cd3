"""From a step (what the client asked for) to a plan (what the sandbox does): inputs solved, users looked up, mounts laid out.

Services are prepared the same way: a service is a step whose changes nobody keeps.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import shutil
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sealane_engine.errors import ExecError, InvalidInput, NotFound
from sealane_engine.graph.edits import FLATTEN_AT
from sealane_engine.graph.operation import Exec, MountCache, MountSecret, MountSocket, MountTemp, MountTree, StepMount
from sealane_engine.graph.sockets import pass_on
from sealane_engine.graph.users import User, find_owner, find_user
from sealane_engine.graph.volumes import fill_volume
from sealane_engine.sandbox.plan import Bind, Command, Content, Mount, Overlay, Plan, Tmpfs
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.graph.solve import Asker, Solver
    from sealane_engine.host.trust_layer import TrustLayers
    from sealane_engine.sandbox.emulation import Emulators
    from sealane_engine.secrets.secret import Secrets
    from sealane_engine.store.layers import Staging
    from sealane_engine.store.store import Store
    from sealane_engine.store.view import TreeView

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Lone:
    """A file that is mounted alone: the original, its copy in the sandbox, and when that was last changed by us."""

    original: str
    copy: str
    ctime_ns: int

    @property
    def untouched(self) -> bool:
        """Whether nobody has written to the copy, or changed whose it is. No step can set this time back."""
        return os.stat(self.copy).st_ctime_ns == self.ctime_ns


@dataclass(slots=True)
class Prepared:
    """A plan, and the stagings that take its changes: the root's, and one for each writable mounted tree by index."""

    plan: Plan
    root: Tree
    staging: Staging
    mount_stagings: dict[int, Staging]
    secrets: tuple[bytes, ...]
    stdin: bytes
    isolated: bool = False
    lone: Mapping[int, Lone] = field(default_factory=dict)


class Preparer:
    """Makes plans. Everything it takes (leases, locks, stagings) goes onto the caller's exit stack."""

    def __init__(self, store: Store, secrets: Secrets, trust: TrustLayers, emulators: Emulators) -> None:
        self._store = store
        self._emulators = emulators
        self.secrets = secrets
        self._trust = trust

    async def prepare(
        self,
        step: Exec,
        solver: Solver,
        asker: Asker,
        stack: AsyncExitStack,
        *,
        hosts: Mapping[str, str],
        resolv_conf: bytes,
        hostname: str,
        extra_env: tuple[tuple[str, str], ...] = (),
    ) -> Prepared:
        root = await self._mountable(await solver.tree(step.root, asker))
        view = solver.view(root)
        user = self._user(view, step)
        staging = self._store.staging(view)
        stack.callback(staging.discard)
        stagings: dict[int, Staging] = {}
        lone: dict[int, Lone] = {}
        mounts = [
            Mount("/etc/resolv.conf", Content(resolv_conf, mode=0o644)),
            Mount("/etc/hosts", Content(hosts_file(hosts, hostname), mode=0o644)),
        ]
        for index, mount in sorted(enumerate(step.mounts), key=lambda item: item[1].target.count("/")):
            mounts.append(await self._mount(index, mount, view, solver, asker, stack, stagings, lone))
        trust = await asyncio.to_thread(self._trust.layer_for, view)
        lowers = tuple(self._store.layer_rel(layer) for layer in root.layers)
        command = Command(
            args=step.args,
            env=self._env(step, user, extra_env),
            cwd=step.cwd or "/",
            uid=user.uid,
            gid=user.gid,
            groups=user.groups,
        )
        plan = Plan(
            root=Overlay((*lowers, *trust), staging.rel),
            command=command,
            mounts=tuple(mounts),
            hostname=hostname,
            no_init=step.no_init,
            privileged=step.privileged,
            emulator=self._emulators.line(step.platform),
        )
        used = [secret for _, secret in step.secret_env]
        used += [secret for secret in step.hidden if secret.problem is None]
        used += [mount.secret for mount in step.mounts if isinstance(mount, MountSecret)]
        return Prepared(
            plan=plan,
            root=root,
            staging=staging,
            mount_stagings=stagings,
            secrets=(*(self.secrets.reveal(secret) for secret in used), *self._trust.secrets),
            stdin=await self._stdin(step, view, solver, asker),
            isolated=step.network == "none",
            lone=lone,
        )

    async def _mountable(self, tree: Tree) -> Tree:
        """A tree that isn't too deep for one overlay."""
        return await asyncio.to_thread(self._store.flatten, tree) if len(tree.layers) > FLATTEN_AT else tree

    def _user(self, view: TreeView, step: Exec) -> User:
        try:
            return find_user(view, step.user)
        except NotFound as error:
            where = f"{step.origin}: " if step.origin else ""
            raise ExecError(step.args, -1, "", "", f"{where}{error.message}") from None

    def _env(self, step: Exec, user: User, extra: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        env = dict(step.env) | dict(step.volatile_env)
        for name, secret in step.secret_env:
            try:
                env[name] = self.secrets.reveal(secret).decode()
            except UnicodeDecodeError:
                raise InvalidInput(
                    f"secret for variable {name} is not text", reason="secret-not-text", hint="mount it as a file"
                ) from None
        env.setdefault("PATH", DEFAULT_PATH)
        env.setdefault("HOME", user.home or "/")
        return (*env.items(), *extra)

    async def _mount(
        self,
        index: int,
        mount: StepMount,
        view: TreeView,
        solver: Solver,
        asker: Asker,
        stack: AsyncExitStack,
        stagings: dict[int, Staging],
        lone: dict[int, Lone],
    ) -> Mount:
        match mount:
            case MountTemp():
                return Mount(mount.target, Tmpfs(mount.size))
            case MountSecret():
                uid, gid = find_owner(view, mount.owner)
                data = self.secrets.reveal(mount.secret)
                return Mount(mount.target, Content(data, mount.mode, uid or 0, gid or 0))
            case MountSocket():
                uid, gid = find_owner(view, mount.owner)
                return Mount(mount.target, Bind(await pass_on(self._store, mount.path, uid or 0, gid or 0, stack)))
            case MountCache():
                volume = Bind(await self._volume(mount, view, solver, asker, stack))
                return Mount(mount.target, volume, read_only=mount.read_only)
            case MountTree():
                return await self._tree(index, mount, solver, asker, stack, stagings, lone)

    async def _tree(
        self,
        index: int,
        mount: MountTree,
        solver: Solver,
        asker: Asker,
        stack: AsyncExitStack,
        stagings: dict[int, Staging],
        lone: dict[int, Lone],
    ) -> Mount:
        tree = await self._mountable(await solver.tree(mount.source.tree, asker))
        source = solver.view(tree)
        entry = source.stat(mount.source.path)
        if mount.kind == "file" or (mount.kind == "any" and entry is not None and entry.kind == "file"):
            if entry is None or entry.kind != "file":
                raise NotFound(
                    f"stat {mount.source.path.lstrip('/')}: no such file or directory", reason="path-not-found"
                )
            if mount.read_only:
                return Mount(mount.target, Bind(entry.real.removeprefix(f"{self._store.home}/")), read_only=True)
            staging = stagings[index] = self._store.staging()
            stack.callback(staging.discard)
            copy = staging.fs / posixpath.basename(mount.source.path)
            await asyncio.to_thread(copy_file, entry.real, str(copy))
            lone[index] = Lone(entry.real, str(copy), copy.stat().st_ctime_ns)
            return Mount(mount.target, Bind(f"{staging.rel}/fs/{copy.name}"))
        lowers = source.subtree(mount.source.path)
        if mount.read_only:
            return Mount(mount.target, Overlay(lowers), read_only=True)
        staging = stagings[index] = self._store.staging(Tree(tuple(lower.removeprefix("l/") for lower in lowers)))
        stack.callback(staging.discard)
        return Mount(mount.target, Overlay(lowers, staging.rel))

    async def _volume(
        self, mount: MountCache, view: TreeView, solver: Solver, asker: Asker, stack: AsyncExitStack
    ) -> str:
        uid, gid = find_owner(view, mount.owner)
        content = await solver.content(mount.source, asker) if mount.source is not None else ""
        variant = f"{uid or 0}:{gid or 0} {content}" if (uid or gid or content) and not mount.by_id else ""
        volume = self._store.volume(mount.namespace, mount.key, variant)
        if mount.sharing == "PRIVATE":
            volume = stack.enter_context(self._store.private_volume(mount.namespace, mount.key, variant))
        elif mount.sharing == "LOCKED":
            await stack.enter_async_context(self._store.lock_volume(volume))
        seed = None
        if mount.source is not None:
            seed = solver.view(await solver.tree(mount.source.tree, asker)), mount.source.path
        await asyncio.to_thread(fill_volume, self._store, volume, seed, uid or 0, gid or 0, mount.mode)
        return volume.rel

    async def _stdin(self, step: Exec, view: TreeView, solver: Solver, asker: Asker) -> bytes:
        if not step.redirect_stdin:
            return step.stdin.encode()
        for mount in step.mounts:
            if isinstance(mount, MountSecret) and step.redirect_stdin == mount.target:
                return self.secrets.reveal(mount.secret)
            if isinstance(mount, MountTree) and (
                step.redirect_stdin == mount.target or step.redirect_stdin.startswith(mount.target + "/")
            ):
                view = solver.view(await solver.tree(mount.source.tree, asker))
                rest = step.redirect_stdin[len(mount.target) :]
                with view.open(
                    posixpath.join(mount.source.path, rest.lstrip("/")) if rest else mount.source.path
                ) as file:
                    return file.read()
        with view.open(step.redirect_stdin) as file:
            return file.read()


def copy_file(source: str, copy: str) -> None:
    """Content, mode, owner and times: overlay's own copy-up, done by hand for a file that is mounted alone."""
    shutil.copyfile(source, copy)
    facts = os.stat(source)
    os.chown(copy, facts.st_uid, facts.st_gid)
    os.chmod(copy, facts.st_mode & 0o7777)
    os.utime(copy, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def hosts_file(hosts: Mapping[str, str], hostname: str) -> bytes:
    lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback", f"127.0.1.1\t{hostname}"]
    lines += [f"{address}\t{name}" for name, address in hosts.items()]
    return ("\n".join(lines) + "\n").encode()
