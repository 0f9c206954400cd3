"""A registry behind its mirrors: they are asked in turn, the registry itself last. Digests are checked whoever answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from sealane_engine.errors import ImageError, NotFound
from sealane_engine.oci.registry import Manifest, Registry, Unreachable

if TYPE_CHECKING:
    from sealane_engine.oci.descriptor import Descriptor

T = TypeVar("T")


class Mirrored:
    """Read as a Registry is. `mirrors` are registries, each with what goes before a repository's name there."""

    def __init__(self, mirrors: Sequence[tuple[Registry, str]], origin: Registry) -> None:
        self._mirrors, self._origin = mirrors, origin
        self._down: set[Registry] = set()

    async def close(self) -> None:
        for registry in (*(each for each, _ in self._mirrors), self._origin):
            await registry.close()

    async def manifest(self, repository: str, identifier: str) -> Manifest:
        """See Registry."""
        return await self._first(repository, lambda registry, name: registry.manifest(name, identifier))

    async def blob(self, repository: str, promised: Descriptor, sink: BinaryIO) -> None:
        """See Registry."""

        async def get(registry: Registry, name: str) -> None:
            sink.seek(0)
            sink.truncate()
            await registry.blob(name, promised, sink)

        await self._first(repository, get)

    async def _first(self, repository: str, ask: Callable[[Registry, str], Awaitable[T]]) -> T:
        """The first good answer. What a mirror has to complain about is no matter: the registry has the last word."""
        for registry, prefix in self._mirrors:
            if registry in self._down:
                continue
            try:
                return await ask(registry, f"{prefix}{repository}")
            except Unreachable:
                self._down.add(registry)
            except (ImageError, NotFound):
                continue
        return await ask(self._origin, repository)
