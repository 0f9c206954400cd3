"""The catalog with the engine's own sandbox: images are built once per machine, then kept."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sealane_engine.errors import ExecError
from sealane_engine.events import Events
from sealane_engine.graph.raw import RawRunner
from sealane_engine.host.trust import find_trust
from sealane_engine.host.trust_layer import TrustLayers
from sealane_engine.images.images import Images
from sealane_engine.net.network import Network
from sealane_engine.sandbox import open_backend
from sealane_engine.sandbox.emulation import Emulators
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.sandbox.plan import Bind, Mount
from sealane_engine.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from sealane_engine.images.image import Image
    from sealane_engine.store.tree import Tree
    from sealane_engine.store.view import TreeView


@dataclass(frozen=True)
class Built:
    """An image, its tree, and what is needed to run something in it."""

    image: Image
    tree: Tree
    store: Store
    runner: RawRunner

    @property
    def config(self) -> dict[str, Any]:
        return dict(self.image.config["config"])

    @property
    def view(self) -> TreeView:
        return self.store.view(self.tree)

    async def run(self, script: str, **env: str) -> str:
        """What a shell script prints, run in the image with its environment and working directory."""
        outer = {"HOME": "/root", **dict(each.split("=", 1) for each in self.config["Env"]), **env}
        out = self.store.volume("test", "out")
        (out.path / "out").unlink(missing_ok=True)
        mounts = (Mount("/out", Bind(out.rel)),)
        args = ("sh", "-c", f"({script}) > /out/out 2>&1")
        try:
            await self.runner(
                self.tree,
                args,
                env=outer,
                mounts=mounts,
                platform=self.image.platform,
                cwd=self.config.get("WorkingDir") or "/",
            )
        except ExecError as error:
            raise AssertionError(f"exit code {error.exit_code}: {(out.path / 'out').read_text()}") from None
        return (out.path / "out").read_text()


@pytest.fixture
def catalog(shared_home: Path, monkeypatch):
    """catalog(name, action) builds an image and awaits `action(Built)`."""
    if os.geteuid() != 0:
        pytest.skip("needs: root")

    async def unreachable(*_: object) -> None:
        from sealane_engine.oci.registry import Unreachable

        raise Unreachable("the test has no registry")

    monkeypatch.setattr("sealane_engine.images.remote.Remote.resolve", unreachable)

    async def main(name: str, action, platform: str) -> Any:
        events = Events()
        async with AsyncExitStack() as stack:
            store = stack.enter_context(Store.open(shared_home / "images", ROOT_RANGE))
            network = await stack.enter_async_context(Network(events))
            backend = await stack.enter_async_context(
                open_backend("launcher", home=store.home, ids=ROOT_RANGE, events=events)
            )
            emulators = stack.enter_context(closing(Emulators()))
            runner = RawRunner(store, backend, network, TrustLayers(store, find_trust()), events, emulators)
            images = Images(store, events, run=runner, emulators=emulators)
            stack.push_async_callback(images.close)
            image = await images.resolve(name, platform)
            return await action(Built(image, await images.unpack(image), store, runner))

    return lambda name, action, platform="linux/amd64": asyncio.run(main(name, action, platform))
