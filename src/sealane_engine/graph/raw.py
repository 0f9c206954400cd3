"""A command on a tree, outside the graph: how the catalog builds its images. Nothing is looked up or kept by key."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from sealane_engine.errors import ExecError
from sealane_engine.graph.output import Capture, for_error
from sealane_engine.graph.prepare import hosts_file
from sealane_engine.graph.step import check_frozen
from sealane_engine.sandbox.plan import Command, Content, Mount, Overlay, Plan
from sealane_engine.secrets.scrub import Scrubber

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.events import Events
    from sealane_engine.host.trust_layer import TrustLayers
    from sealane_engine.net.network import Network
    from sealane_engine.sandbox.backend import Backend
    from sealane_engine.sandbox.emulation import Emulators
    from sealane_engine.store.store import Store
    from sealane_engine.store.tree import Tree

HOSTNAME = "catalog"


class RawRunner:
    """See `images.catalog.build.Run`."""

    def __init__(
        self,
        store: Store,
        backend: Backend,
        network: Network,
        trust: TrustLayers,
        events: Events,
        emulators: Emulators,
    ) -> None:
        self._store = store
        self._backend = backend
        self._network = network
        self._trust = trust
        self._events = events
        self._emulators = emulators

    async def __call__(
        self,
        tree: Tree,
        args: tuple[str, ...],
        *,
        env: Mapping[str, str],
        mounts: tuple[Mount, ...],
        platform: str,
        cwd: str = "/",
    ) -> Tree:
        async with AsyncExitStack() as stack:
            staging = self._store.staging(tree)
            stack.callback(staging.discard)
            lowers = tuple(self._store.layer_rel(layer) for layer in tree.layers)
            own = (
                Mount("/etc/resolv.conf", Content(self._network.resolv_conf(), mode=0o644)),
                Mount("/etc/hosts", Content(hosts_file({}, HOSTNAME), mode=0o644)),
            )
            plan = Plan(
                # Without the host's trust: `update-ca-certificates` would write it into the image.
                root=Overlay(lowers, staging.rel),
                command=Command(args, tuple(env.items()), cwd),
                mounts=(*own, *mounts),
                hostname=HOSTNAME,
                emulator=self._emulators.line(platform),
            )

            async def attach(pid: int) -> None:
                stack.callback(self._network.release, await self._network.attach(pid))

            capture = Capture(
                lambda: Scrubber(self._trust.secrets),
                lambda stream, text: self._events.emit("log", key=HOSTNAME, stream=stream, text=text),
            )
            stack.callback(capture.close)
            stdin = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
            try:
                process = await self._backend.start(
                    plan, stdin=stdin, stdout=capture.stdout_fd, stderr=capture.stderr_fd, before_exec=attach
                )
            finally:
                os.close(stdin)
                capture.started()
            stack.push_async_callback(process.kill)
            ended = await process.wait()
            await capture.finish()
            if ended.code:
                raise ExecError(args, ended.code, for_error(capture.stdout), for_error(capture.stderr))
            check_frozen(ended, args[0])
            return tree.on(await asyncio.to_thread(self._store.commit, staging, drop=ended.stubs))
