"""A builder that makes nothing and writes down what it was asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sealane_engine.dockerfile.build import Built, Options, build
from sealane_engine.dockerfile.builder import CopyStep, RunStep
from sealane_engine.dockerfile.plan import find_target, plan

if TYPE_CHECKING:
    from collections.abc import Mapping

Root = tuple[Any, ...]


class Recorder:
    """A root is the tuple of what was done to it."""

    def __init__(self, images: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.images = images or {}
        self.pulled: list[tuple[str, str]] = []
        self.runs: list[RunStep[Root]] = []
        self.copies: list[CopyStep[Root]] = []

    async def scratch(self, platform: str) -> Root:
        return ("scratch",)

    async def image(self, ref: str, platform: str) -> tuple[Root, Mapping[str, Any]]:
        self.pulled.append((ref, platform))
        return (ref,), self.images.get(ref, {"Env": ["PATH=/bin"]})

    async def run(self, state: Root, step: RunStep[Root], platform: str) -> Root:
        self.runs.append(step)
        return (*state, ("run", step.args))

    async def copy(self, state: Root, step: CopyStep[Root]) -> Root:
        self.copies.append(step)
        return (*state, ("copy", step.source, step.paths, step.dest))

    async def make_directory(self, state: Root, path: str, owner: str) -> Root:
        return (*state, ("mkdir", path))


async def _built(
    text: str,
    args: Mapping[str, str] | None = None,
    target: str = "",
    images: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Recorder, Built[Root]]:
    recorder = Recorder(images)
    options = Options(args or {})
    planned = plan(
        text, options.build_args, build_platform=options.build_platform, target_platform=options.target_platform
    )
    return recorder, await build(recorder, planned, find_target(planned, target), options)


@pytest.fixture
def built():
    """Build a Dockerfile's text with a recorder: the recorder, and what was built."""
    return lambda *args, **kwargs: asyncio.run(_built(*args, **kwargs))
