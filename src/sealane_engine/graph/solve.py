"""The solver: from an operation to its result, through its key.

Keys come first: the chain of a root is keyed from its beginning, and what crosses into it counts by content. Then the
newest result that the store has is looked up, and only what comes after it runs. Identical work in flight is joined.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from sealane_engine.dockerfile.sources import matching
from sealane_engine.errors import EngineError, NotFound
from sealane_engine.graph.difference import difference
from sealane_engine.graph.edits import apply_edit
from sealane_engine.graph.filled import fill_tree
from sealane_engine.graph.flight import Flight
from sealane_engine.graph.keys import Key, action_inputs, make_key, step_inputs
from sealane_engine.graph.operation import (
    Copy,
    CopyFiles,
    Difference,
    Edit,
    Exec,
    Failing,
    Filled,
    HostDirectory,
    HostFile,
    ImageTree,
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
    Tarball,
    Variant,
)
from sealane_engine.graph.results import load_step, load_tree, save_step, save_tree
from sealane_engine.graph.step import StepResult, step_name
from sealane_engine.graph.tarball import write_tarball
from sealane_engine.host.scan import scan, scan_file
from sealane_engine.oci import normal
from sealane_engine.store.tree import Tree
from sealane_engine.store.view import TreeView

if TYPE_CHECKING:
    from sealane_engine.events import Events
    from sealane_engine.graph.step import Steps
    from sealane_engine.images.images import Images
    from sealane_engine.oci.layout import ImageSpec
    from sealane_engine.protocol.client import Client
    from sealane_engine.store.store import Store


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants a result: the client, as its request presents it."""

    client: Client

    @property
    def labels(self) -> Mapping[str, str]:
        return self.client.labels

    @property
    def traceparent(self) -> str:
        return self.client.traceparent

    @property
    def baggage(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self.labels.items())


class Solver:
    """One per engine. Results of this session are also kept in memory, by key."""

    def __init__(self, store: Store, images: Images, events: Events) -> None:
        self.store = store
        self._images = images
        self._events = events
        self.steps: Steps  # set by the session: steps need the solver for their inputs
        self.session = token_hex(8)  # in the key of what is known for a session at most
        self._keys: dict[int, tuple[Operation, Key]] = {}
        self._trees: dict[str, Tree] = {}
        self._results: dict[str, StepResult] = {}
        self._flight: Flight[Any] = Flight()

    # ---- what callers use

    def view(self, tree: Tree) -> TreeView:
        """A view of a tree: one for each use, they are for one thread at a time (listings are shared by the store)."""
        return TreeView(self.store, tree)

    async def tree(self, operation: Operation, asker: Asker) -> Tree:
        """The tree that an operation makes."""
        pending: list[tuple[Operation, Key]] = []
        current: Operation | None = operation
        while current is not None:
            key = await self.key(current, asker)
            if self._known(current, key) or current.parent is None:
                break
            pending.append((current, key))
            current = current.parent
        if current is not None:
            pending.append((current, await self.key(current, asker)))
        tree = Tree(())
        for each, key in reversed(pending):
            tree = await self._tree(each, key, asker)
        return tree

    async def step(self, step: Exec, asker: Asker) -> StepResult:
        """A step's result: from the store, from who is running it already, or by running it."""
        key = await self.key(step, asker)
        if key.digest not in self._results and self.store.result(key.digest) is None:
            await self.tree(step.root, asker)
        return await self._step(step, key, asker)

    async def see(self, ref: Ref, asker: Asker) -> TreeView:
        """The tree of a place, to be read. The place itself may be missing."""
        return self.view(await self.tree(ref.tree, asker))

    async def content(self, ref: Ref, asker: Asker) -> str:
        """The content key of a place."""
        if ref.path == "/" and isinstance(ref.tree, HostDirectory | HostFile):
            return (await self.key(ref.tree, asker)).digest
        view = await self.see(ref, asker)
        if view.stat(ref.path) is None:
            raise NotFound(f"stat {ref.path.lstrip('/')}: no such file or directory", reason="path-not-found")
        return await asyncio.to_thread(view.digest, ref.path)

    # ---- keys

    async def key(self, operation: Operation, asker: Asker) -> Key:
        """The key of an operation; its chain is keyed first, iteratively: a chain may be thousands long."""
        chain: list[Operation] = []
        current: Operation | None = operation
        while current is not None and id(current) not in self._keys:
            chain.append(current)
            current = current.parent
        await self._side_by_side(_stages_of(chain), asker)
        for each in reversed(chain):
            key = await self._flight.do(f"key:{id(each)}", lambda each=each: self._make_key(each, asker))  # type: ignore[misc]
            self._keys[id(each)] = (each, key)
        return self._keys[id(operation)][1]

    async def _side_by_side(self, operations: list[Operation], asker: Asker) -> None:
        """Have several trees, which a chain would otherwise ask for one after the other."""
        if len(operations) < 2:
            return
        tasks = [asyncio.ensure_future(self.tree(each, asker)) for each in operations]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _parent_key(self, operation: Operation) -> str:
        assert operation.parent is not None
        return self._keys[id(operation.parent)][1].digest

    async def _make_key(self, operation: Operation, asker: Asker) -> Key:
        match operation:
            case Scratch():
                return make_key("scratch", {})
            case Failing():
                return make_key("failing", {"message": operation.message})
            case ImageTree():
                return make_key("image", {"digest": operation.image.digest})
            case HostDirectory() | HostFile():
                return await self._read_host(operation)
            case Filled():
                return make_key(operation.kind, dict(operation.inputs))
            case Edit():
                inputs = {"base": self._parent_key(operation), **action_inputs(operation.action)}
                if isinstance(operation.action, Copy):
                    inputs["source"] = await self.content(_counted(operation, operation.action), asker)
                    if operation.action.kind == "file":
                        inputs["name"] = operation.action.source.path.rsplit("/", 1)[-1]
                if isinstance(operation.action, CopyFiles):
                    inputs["sources"] = await self._copied(operation.action, asker)
                return make_key("edit", inputs)
            case Difference():
                return make_key(
                    "difference",
                    {
                        "lower": await self.content(operation.lower, asker),
                        "upper": await self.content(operation.upper, asker),
                    },
                )
            case Tarball():
                roots = await asyncio.gather(*(self.key(each.root, asker) for each in operation.variants))
                variants = [
                    [key.digest, each.config, each.epoch, each.annotations]
                    for key, each in zip(roots, operation.variants, strict=True)
                ]
                how = {"media_types": operation.media_types, "compression": operation.compression}
                return make_key("tarball", {"variants": variants, **how, "normal": normal.VERSION})
            case Exec():
                return await self._step_key(operation, self._parent_key(operation), asker)
            case Output():
                return make_key("output", {"step": self._parent_key(operation), "mount": operation.mount})
        raise AssertionError(operation)

    async def _copied(self, action: CopyFiles, asker: Asker) -> list[list[str]]:
        """What a COPY would copy, by content: the rest of the context doesn't count."""
        if not action.paths:
            return []
        view = await self.see(action.source, asker)

        def digests() -> list[list[str]]:
            names = [name for path in action.paths for name in matching(view, path, parents=action.parents)]
            return [[name, view.digest(f"/{name}")] for name in names]

        return await asyncio.to_thread(digests)

    async def _read_host(self, operation: HostDirectory | HostFile) -> Key:
        if isinstance(operation, HostDirectory):
            tree, digest = await scan(
                self.store,
                operation.path,
                include=operation.include,
                exclude=operation.exclude,
                gitignore=operation.gitignore,
            )
        else:
            tree, _, digest = await scan_file(self.store, operation.path)
        key = Key(digest, {"kind": "host", "path": operation.path, "content": digest})
        self._trees[digest] = tree
        return key

    async def _step_key(self, step: Exec, root: str, asker: Asker) -> Key:
        try:
            mounts = await asyncio.gather(*(self._mount_inputs(mount, asker) for mount in step.mounts))
        except NotFound as error:
            if not step.origin or error.reason != "path-not-found":
                raise
            raise NotFound(f"{step.origin}: {error.message}", reason=error.reason, hint=error.hint) from error
        bindings = [[each.alias, await self.service_key(each.service, asker)] for each in step.bindings]
        return make_key(
            "step",
            {
                **step_inputs(step),
                "root": root,
                "mounts": mounts,
                "secrets": [[name, secret.identity] for name, secret in step.secret_env],
                **({"hidden": sorted(secret.identity for secret in step.hidden)} if step.hidden else {}),
                "services": bindings,
            },
        )

    async def service_key(self, service: Any, asker: Asker) -> str:
        """What a service is: its step, or where its tunnel leads."""
        if service.step is not None:
            step = await self.key(service.step, asker)
            return make_key("service", {"step": step.digest, "hostname": service.hostname}).digest
        # what listens on a port of a machine is known for a session at most
        ports = [[each.frontend, each.backend] for each in service.forwards]
        return make_key("host-service", {"host": service.host, "ports": ports, "session": self.session}).digest

    async def _mount_inputs(self, mount: StepMount, asker: Asker) -> dict[str, Any]:
        match mount:
            case MountTree():
                source = (
                    (await self.key(mount.source.tree, asker)).digest + mount.source.path
                    if mount.chained
                    else await self.content(mount.source, asker)
                )
                return {"tree": mount.target, "kind": mount.kind, "source": source, "read_only": mount.read_only}
            case MountCache():
                return {
                    "cache": mount.target,
                    "key": [mount.namespace, mount.key],
                    "sharing": mount.sharing,
                    "owner": mount.owner,
                    "source": await self.content(mount.source, asker) if mount.source else None,
                    **({"mode": mount.mode} if mount.mode is not None else {}),
                    **({"read_only": True} if mount.read_only else {}),
                }
            case MountSocket():
                return {"socket": mount.target, "path": mount.path, "owner": mount.owner}
            case MountTemp():
                return {"temp": mount.target, "size": mount.size}
            case MountSecret():
                return {
                    "secret": mount.target,
                    "identity": mount.secret.identity,
                    "owner": mount.owner,
                    "mode": mount.mode,
                }

    # ---- results

    def _known(self, operation: Operation, key: Key) -> bool:
        match operation:
            case Output():
                step = self._parent_key(operation)
                return step in self._results or self.store.result(step) is not None
            case Exec():
                return key.digest in self._results
            case _:
                return key.digest in self._trees or self.store.result(key.digest) is not None

    async def _tree(self, operation: Operation, key: Key, asker: Asker) -> Tree:
        if isinstance(operation, Exec):
            return (await self._step(operation, await self.key(operation, asker), asker)).root
        if isinstance(operation, Output):
            result = await self._step(operation.exec, await self.key(operation.exec, asker), asker)
            return result.root if operation.mount is None else result.mounts[operation.mount]
        tree = self._trees.get(key.digest)
        if tree is None:
            tree = await self._flight.do(key.digest, lambda: self._make_tree(operation, key, asker))
            self._trees[key.digest] = tree
        return tree

    async def _make_tree(self, operation: Operation, key: Key, asker: Asker) -> Tree:
        stored = load_tree(self.store, key.digest)
        if stored is not None:
            return stored
        match operation:
            case Scratch():
                return Tree(())
            case Failing():
                raise EngineError(operation.message, reason="with-error")
            case ImageTree():
                return await self._images.unpack(operation.image)
            case Filled():
                tree = await fill_tree(self.store, operation)
            case Edit():
                tree = await apply_edit(self, operation, asker)
            case Difference():
                tree = await self._difference(operation, asker)
            case Tarball():
                specs = [await self.image(each, asker) for each in operation.variants]
                tree = await asyncio.to_thread(write_tarball, self.store, operation, specs)
            case _:
                raise AssertionError(operation)
        save_tree(self.store, key, tree)
        return tree

    async def image(self, variant: Variant, asker: Asker) -> ImageSpec:
        """An image that is to be written: its layers, and which of them are its base's."""
        from sealane_engine.oci.layout import ImageSpec

        tree = await self.tree(variant.root, asker)
        base = await self.tree(variant.base, asker) if variant.base is not None else Tree(())
        return ImageSpec(
            json.loads(variant.config),
            tree,
            variant.platform,
            base=frozenset(base.layers),
            epoch=variant.epoch,
            annotations=variant.annotations,
        )

    async def _difference(self, operation: Difference, asker: Asker) -> Tree:
        lower, upper = await self.see(operation.lower, asker), await self.see(operation.upper, asker)
        return await asyncio.to_thread(difference, self.store, lower, operation.lower.path, upper, operation.upper.path)

    async def _step(self, step: Exec, key: Key, asker: Asker) -> StepResult:
        verdict = "joined" if f"step:{key.digest}" in self._flight else "hit"
        result = self._results.get(key.digest)
        if result is None:

            async def work() -> StepResult:
                nonlocal verdict
                stored = load_step(self.store, key.digest)
                if stored is None:
                    verdict = "miss"
                    self._events.emit("cache", asker, key=key.digest, name=step_name(step), verdict=verdict)
                    stored = await self.steps.run(step, key.digest, self, asker)
                    save_step(self.store, key, stored)
                return stored

            result = await self._flight.do(f"step:{key.digest}", work)
            self._results[key.digest] = replace(result, key=key.digest)
        if verdict != "miss":
            self._events.emit("cache", asker, key=key.digest, name=step_name(step), verdict=verdict)
        return result


def _counted(edit: Edit, copy: Copy) -> Ref:
    """What counts of a copy's source. When the copy leaves something out, that is only what it takes.

    What it takes is a tree of its own then, so that a change of the rest is no change.
    """
    if not (copy.include or copy.exclude or copy.gitignore):
        return copy.source
    alone = Copy(copy.source, "/", include=copy.include, exclude=copy.exclude, gitignore=copy.gitignore)
    return copy.source if copy == alone and isinstance(edit.base, Scratch) else Ref(Edit(Scratch(), alone))


def _stages_of(chain: list[Operation]) -> list[Operation]:
    """The other stages of a Dockerfile that a chain copies from or mounts, each once: those in which steps run."""
    found: dict[int, Operation] = {}
    for each in chain:
        sources = []
        if isinstance(each, Edit) and isinstance(each.action, CopyFiles):
            sources = [each.action.source]
        elif isinstance(each, Exec):
            sources = [mount.source for mount in each.mounts if isinstance(mount, MountTree) and mount.kind == "any"]
        found |= {id(source.tree): source.tree for source in sources if source.tree.parent is not None}
    return list(found.values())
