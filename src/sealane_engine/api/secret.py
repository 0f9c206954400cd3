"""Secret: by URI from a provider, or given in plain text."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

from sealane_engine.api import nested
from sealane_engine.api.registry import Context, Fields
from sealane_engine.errors import InvalidInput
from sealane_engine.secrets.secret import Secret

query = Fields("Query")
field = Fields("Secret")


@query("secret")
async def secret(ctx: Context, self: None, *, uri: str, cacheKey: str = "") -> Secret:
    if (machine := ctx.engine.machine(ctx.client)) is not None:
        return await nested.secret(ctx, machine, uri, cacheKey)
    ctx.engine.need_machine(ctx.client, f"secret {uri.partition(':')[0]}:")
    return await ctx.engine.secrets.from_uri(uri, cacheKey)


@query("setSecret")
async def set_secret(ctx: Context, self: None, *, name: str, plaintext: str) -> Secret:
    """`plaintext` is the handle that `prepare` put in its place: the text itself never gets into a call."""
    return Secret(name=name, identity=plaintext, handle=plaintext)


@field("name")
async def name(ctx: Context, self: Secret) -> str:
    return self.name


@field("uri")
async def uri(ctx: Context, self: Secret) -> str:
    return self.uri


@field("plaintext")
async def plaintext(ctx: Context, self: Secret) -> str:
    try:
        return ctx.engine.secrets.reveal(self).decode()
    except UnicodeDecodeError:
        raise InvalidInput(
            f"secret {self.name or self.uri!r} is not text", reason="secret-not-text", hint="mount it as a file"
        ) from None
