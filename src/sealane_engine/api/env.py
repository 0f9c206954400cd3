"""Env: what a function of a module finds around it, its workspace. Inputs and outputs belong to agents; it has none."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Directory
from sealane_engine.errors import InvalidInput
from sealane_engine.modules.module import Module

query = Fields("Query")
field = Fields("Env")


@dataclass(frozen=True, slots=True)
class Env:
    workspace: Directory


@query("currentEnv")
async def current_env(ctx: Context, self: None) -> Env:
    found: Module | None = ctx.client.extra.get("module")
    if found is None:
        raise InvalidInput(
            "no current environment: this client is not a module's function",
            reason="no-current-module",
            hint="ask for it in a function of a module",
        )
    return Env(found.needs_source().directory())


@field("workspace")
async def workspace(ctx: Context, self: Env) -> Directory:
    return self.workspace


@field("withWorkspace")
async def with_workspace(ctx: Context, self: Env, *, workspace: Directory) -> Env:
    return replace(self, workspace=workspace)


@field("inputs")
async def inputs(ctx: Context, self: Env) -> list[object]:
    return []


field("outputs")(inputs)
