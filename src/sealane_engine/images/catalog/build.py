"""Build the images of the catalog: a suite's base once, each image as a layer of packages and files on it.

Commands run in the engine's own sandbox, through a function that the engine gives (`Run`). Nothing that comes from
this host (mirrors, apt settings, caches) is part of a layer: it is mounted for the command only.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sealane_engine.errors import ExecError, ImageError, Unsupported
from sealane_engine.images.catalog import apt, downloads, minbase
from sealane_engine.images.catalog.recipe import VERSION, Recipe
from sealane_engine.images.flight import Flights
from sealane_engine.images.image import Image, LayerSource
from sealane_engine.oci import diff, manifest
from sealane_engine.oci.descriptor import Descriptor
from sealane_engine.sandbox.emulation import Emulators
from sealane_engine.sandbox.plan import Bind, Content, Mount
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.events import Events, Requester
    from sealane_engine.oci.reference import Reference
    from sealane_engine.store.store import Store
    from sealane_engine.store.volumes import Volume

LISTS_FRESH_SECONDS = 3600
_LISTS, _ARCHIVES = "/var/lib/apt/lists", "/var/cache/apt/archives"
_AUTHORITIES = "/etc/apt/authorities.pem"
_NAMESPACE = "catalog"

# What two builds would differ in. Times are set back afterwards, from outside: removing mount targets changes them.
_TIDY = """
rm -rf /tmp/* /var/tmp/* /var/cache/ldconfig/aux-cache /var/log/apt/* /var/log/alternatives.log /var/log/dpkg.log
rm -f /var/cache/debconf/*-old /var/lib/dpkg/*-old /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/.pwd.lock
"""
_INSTALL = """
apt-get -q -o APT::Keep-Downloaded-Packages=true -o Dpkg::Options::=--force-confold install --yes --no-install-recommends "$@"
"""


class Run(Protocol):
    """Run a command on a tree in a sandbox, as root, with network, never answered from a cache.

    The command sees nothing of this host but the mounts: not its certificate authorities, for one, which a package
    would copy into the image. Answers the tree after it (mounts left out). Raises ExecError.
    """

    async def __call__(
        self,
        tree: Tree,
        args: tuple[str, ...],
        *,
        env: Mapping[str, str],
        mounts: tuple[Mount, ...],
        platform: str,
        cwd: str = "/",
    ) -> Tree: ...


@dataclass(frozen=True, slots=True)
class _Base:
    layer: str
    source: Descriptor
    epoch: int


class Catalog:
    """Builds recipes; concurrent requests for one image, or for one suite's base, share the work."""

    def __init__(self, store: Store, events: Events, run: Run | None, emulators: Emulators | None = None) -> None:
        self._store, self._events, self._run = store, events, run
        self._emulators = emulators or Emulators()
        self._images: Flights[None] = Flights()
        self._bases: Flights[_Base] = Flights()
        self._updates: Flights[None] = Flights()

    async def image(
        self, recipe: Recipe, ref: Reference, architecture: str, requester: Requester | None = None
    ) -> Image:
        """The image of a recipe, standing in for `ref`: from the store, or built now."""
        found = self.known(recipe, ref, architecture)
        if found is None:
            key = recipe.key(architecture)
            await self._images.join(key, lambda: self._build(key, recipe, architecture, requester))
            found = self.known(recipe, ref, architecture)
            if found is None:
                raise ImageError(f"{ref} was built and then pruned", reason="catalog-build-failed", hint="try again")
        return found

    def known(self, recipe: Recipe, ref: Reference, architecture: str) -> Image | None:
        """The image of a recipe, if it was built before."""
        found = self._store.result(recipe.key(architecture))
        if found is None:
            return None
        value = found.value
        layers = zip(value["diff_ids"], found.layers, strict=True)
        return Image(
            ref=str(ref.with_digest(value["digest"])),
            digest=value["digest"],
            platform=f"linux/{architecture}",
            config=value["config"],
            origin="catalog",
            layers=tuple(LayerSource(diff_id, layer=layer) for diff_id, layer in layers),
            catalog=recipe.name,
        )

    async def _build(self, key: str, recipe: Recipe, architecture: str, requester: Requester | None) -> None:
        name, begun = f"catalog {recipe.name}", time.monotonic()
        self._events.emit("step-start", requester, key=key, name=name, inputs={"suite": recipe.suite})
        error = "cancelled"
        try:
            base = await self._base(recipe.suite, architecture)
            sources, lines = [(base.layer, base.source)], [f"sealane catalog: Debian {recipe.suite}"]
            epoch = base.epoch
            if not recipe.bare:
                tree, epoch = await self._layers(recipe, architecture, base)
                for layer in tree.layers[1:]:
                    sources.append((layer, await self._describe(layer)))
                    lines.append(f"sealane catalog: {recipe.name}")
            created = manifest.image_config(
                recipe.config(), architecture=architecture, created=epoch, history=lines,
                diff_ids=[source.digest for _, source in sources],
            )  # fmt: skip
            self._record(key, recipe, created, sources)
            error = ""
        except Exception as problem:
            error = str(problem)
            raise
        finally:
            seconds = round(time.monotonic() - begun, 3)
            self._events.emit(
                "step-end", requester, key=key, name=name, seconds=seconds, exit_code=1 if error else 0, error=error
            )

    def _record(self, key: str, recipe: Recipe, config: dict[str, Any], sources: list[tuple[str, Descriptor]]) -> None:
        described = manifest.describe(manifest.MEDIA_CONFIG, manifest.canonical(config))
        digest = manifest.digest(manifest.canonical(manifest.manifest(described, [source for _, source in sources])))
        value = {"config": config, "digest": digest, "diff_ids": config["rootfs"]["diff_ids"], "name": recipe.name}
        inputs = {
            "recipe": recipe.name,
            "suite": recipe.suite,
            "architecture": config["architecture"],
            "version": VERSION,
        }
        self._store.put_result(key, "catalog-image", value, layers=[layer for layer, _ in sources], inputs=inputs)

    # -------------------------------------------------------------- the base
    async def _base(self, suite: str, architecture: str) -> _Base:
        return await self._bases.join(f"{suite} {architecture}", lambda: self._make_base(suite, architecture))

    async def _make_base(self, suite: str, architecture: str) -> _Base:
        key = f"catalog-base:{VERSION}:{suite}:{architecture}"
        found = self._store.result(key)
        if found is None:
            layer, epoch = await self._bootstrap(suite, architecture)
            source = await self._describe(layer)
            value = {"epoch": epoch, "source": source.to_json()}
            inputs = {"suite": suite, "architecture": architecture, "version": VERSION}
            self._store.put_result(key, "catalog-base", value, layers=(layer,), inputs=inputs)
            return _Base(layer, source, epoch)
        source = found.value["source"]
        return _Base(
            found.layers[0], Descriptor(source["mediaType"], source["digest"], source["size"]), found.value["epoch"]
        )

    async def _bootstrap(self, suite: str, architecture: str) -> tuple[str, int]:
        lists = self._lists(architecture, suite)
        staging, scratch = self._store.staging(), self._store.staging()
        try:
            async with self._store.lock_volume(lists):
                made = await minbase.build(
                    suite,
                    architecture,
                    fs=staging.fs,
                    scratch=scratch.fs,
                    lists=lists.path,
                    ids=self._store.ids,
                    emulator=self._emulators.line(f"linux/{architecture}"),
                )
            layer = await asyncio.to_thread(self._store.commit, staging)
        except BaseException:
            staging.discard()
            raise
        finally:
            scratch.discard()
        return layer, made.epoch

    async def _describe(self, layer: str) -> Descriptor:
        digest, size = await asyncio.to_thread(diff.digest, self._store.layer_path(layer), self._store.ids)
        return Descriptor(manifest.MEDIA_LAYER, digest, size)

    # -------------------------------------------------------------- what comes on it
    async def _layers(self, recipe: Recipe, architecture: str, base: _Base) -> tuple[Tree, int]:
        if self._run is None:
            raise Unsupported(f"{recipe.name} needs a sandbox to be built, and this engine has none")
        fetched = [(wanted, await downloads.fetch(wanted)) for wanted in recipe.downloads]
        tree = Tree((base.layer,))
        with self._store.edit(tree) as edit:
            for file in recipe.files:
                edit.write(file.path, file.text.encode(), mode=file.mode)
            for wanted, data in fetched:
                edit.write(wanted.target, data)
        tree = edit.tree
        lists = self._lists(architecture, recipe.suite, *recipe.also)
        mounts = self._mounts(recipe, architecture, lists)
        script = "".join((recipe.before, _INSTALL if recipe.packages else "", recipe.script, _TIDY))
        try:
            platform = f"linux/{architecture}"
            epoch = await self._refresh_lists(tree, lists, mounts, platform)
            env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SOURCE_DATE_EPOCH": str(epoch), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HOME": "/root"}  # fmt: skip
            args = ("sh", "-eu", "-c", script, "catalog", *recipe.packages)
            tree = await self._run(tree, args, env=env, mounts=mounts, platform=platform)
        except ExecError as error:
            words = " | ".join(error.stderr.strip().splitlines()[-4:])
            raise ImageError(
                f"building {recipe.name} failed with exit code {error.exit_code}: {words}",
                reason="catalog-build-failed",
                hint="check that a step reaches this machine's Debian mirror",
            ) from error
        return await self._finish(tree, epoch), epoch

    async def _finish(self, tree: Tree, epoch: int) -> Tree:
        """Set the times of what was just made back to the archive's. Nobody else knows these layers yet."""
        for layer in tree.layers[1:]:
            await asyncio.to_thread(minbase.clamp, self._store.layer_path(layer), epoch)
        return tree

    def _lists(self, architecture: str, *suites: str) -> Volume:
        return self._store.volume(_NAMESPACE, f"lists {architecture} {' '.join(suites)}")

    def _mounts(self, recipe: Recipe, architecture: str, lists: Volume) -> tuple[Mount, ...]:
        host = apt.of_host()
        # An image's own: two installations at once would wait for, or trip over, each other's downloads.
        archives = self._store.volume(_NAMESPACE, f"archives {architecture} {recipe.name}")
        trust = apt.authorities() if host.needs_authorities else b""
        files = {
            "/etc/apt/sources.list.d/debian.sources": b"",
            "/etc/apt/sources.list": host.sources(recipe.suite, *recipe.also).encode(),
            "/etc/apt/apt.conf.d/90host": host.configuration(recipe.suite, _AUTHORITIES if trust else "").encode(),
            **({_AUTHORITIES: trust} if trust else {}),
        }
        return (
            *(Mount(path, Content(data, mode=0o644)) for path, data in files.items()),
            Mount(_LISTS, Bind(lists.rel)),
            Mount(_ARCHIVES, Bind(archives.rel)),
        )

    async def _refresh_lists(self, tree: Tree, lists: Volume, mounts: tuple[Mount, ...], platform: str) -> int:
        """Bring the package indexes up to date if they are old; the time of the newest."""

        async def update() -> None:
            async with self._store.lock_volume(lists):
                indexes = [file.stat().st_ctime for file in lists.path.iterdir() if file.name.endswith("InRelease")]
                if not indexes or min(indexes) < time.time() - LISTS_FRESH_SECONDS:
                    assert self._run is not None
                    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
                    command = ("apt-get", "-q", "update")
                    await self._run(tree, command, env=env, mounts=mounts, platform=platform)

        await self._updates.join(lists.rel, update)
        return await asyncio.to_thread(minbase.release_time, lists.path)
