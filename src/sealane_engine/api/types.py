"""currentTypeDefs: every type that a client sees, those of the core read from the schema."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

from sealane_engine.api.registry import Context, Fields
from sealane_engine.modules.describe import type_defs
from sealane_engine.modules.typedefs import TypeDef

query = Fields("Query")


@query("currentTypeDefs")
async def current_type_defs(
    ctx: Context, self: None, *, returnAllTypes: bool = False, hideCore: bool | None = None
) -> list[TypeDef]:
    return type_defs(ctx.engine, ctx.client, all_types=returnAllTypes, hide_core=bool(hideCore))
