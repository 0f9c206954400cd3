"""Address: what a text names, as the command line's flags write it."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sealane_engine.api.registry import Context, Fields
from sealane_engine.errors import InvalidInput
from sealane_engine.protocol.call import Call

query = Fields("Query")
field = Fields("Address")
_GIT = ("https://", "http://", "ssh://", "git@", "git://")


@dataclass(frozen=True, slots=True)
class Address:
    """A path, an image, a secret's URI, a host and port, or a git URL: which it is, the field says that is asked."""

    value: str


@query("address")
async def address(ctx: Context, self: None, *, value: str) -> Address:
    return Address(value)


@field("value")
async def value_of(ctx: Context, self: Address) -> str:
    return self.value


@field("container")
async def container(ctx: Context, self: Address) -> Any:
    return await _evaluate(
        ctx, Call.make(Call.make(None, "Container", "container"), "Container", "from", {"address": self.value})
    )


@field("directory")
async def directory(
    ctx: Context,
    self: Address,
    *,
    exclude: list[str] | None = None,
    include: list[str] | None = None,
    gitignore: bool = False,
    noCache: bool = False,
) -> Any:
    given = {
        "exclude": tuple(exclude or ()),
        "include": tuple(include or ()),
        "gitignore": gitignore,
        "noCache": noCache,
    }
    filters = {name: value for name, value in given.items() if value}
    if (tree := _git_tree(ctx, self.value)) is not None:
        made, subpath = tree
        found = Call.make(made, "Directory", "directory", {"path": subpath}) if subpath else made
        filters.pop("noCache", None)
        return await _evaluate(ctx, Call.make(found, "Directory", "filter", filters) if filters else found)
    args = {"path": _path(self.value), **filters}
    return await _evaluate(ctx, Call.make(_host(ctx), "Directory", "directory", args, scope=ctx.call.scope))


@field("file")
async def file(
    ctx: Context,
    self: Address,
    *,
    exclude: list[str] | None = None,
    include: list[str] | None = None,
    gitignore: bool = False,
    noCache: bool = False,
) -> Any:
    if (tree := _git_tree(ctx, self.value)) is not None:
        made, subpath = tree
        if not subpath:
            raise InvalidInput(f"git reference {self.value!r} names no file", reason="no-file", hint="add #ref:path")
        return await _evaluate(ctx, Call.make(made, "File", "file", {"path": subpath}))
    args = {"path": _path(self.value), **({"noCache": True} if noCache else {})}
    return await _evaluate(ctx, Call.make(_host(ctx), "File", "file", args, scope=ctx.call.scope))


@field("secret")
async def secret(ctx: Context, self: Address) -> Any:
    """`NAME` and `env:NAME` are `env://NAME`; `cacheKey` in the query is the secret's name in keys."""
    scheme, colon, rest = self.value.partition(":")
    uri = f"{scheme}://{rest.removeprefix('//')}" if colon else f"env://{self.value}"
    uri, _, query = uri.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    key = dict(pairs).get("cacheKey", "")
    if key:
        query = urlencode([pair for pair in pairs if pair[0] != "cacheKey"])
    args = {"uri": f"{uri}?{query}" if query else uri, **({"cacheKey": key} if key else {})}
    return await _evaluate(ctx, Call.make(None, "Secret", "secret", args, scope=ctx.client.id))


@field("service")
async def service(ctx: Context, self: Address) -> Any:
    url = urlsplit(self.value)
    try:
        port = url.port
    except ValueError:
        port = None
    if url.scheme not in ("tcp", "udp") or not url.hostname or not port:
        raise InvalidInput(
            f"{self.value!r} names no service",
            reason="bad-service",
            hint="write it as tcp://host:port or udp://host:port",
        )
    ports = ({"backend": port, "frontend": port, "protocol": url.scheme.upper()},)
    if url.scheme == "tcp":
        ports[0].pop("protocol")
    args = {"host": url.hostname, "ports": ports}
    if url.hostname == "localhost":
        args.pop("host")
    return await _evaluate(ctx, Call.make(_host(ctx), "Service", "service", args))


@field("socket")
async def socket(ctx: Context, self: Address) -> Any:
    path = self.value.removeprefix("unix://")
    return await _evaluate(ctx, Call.make(_host(ctx), "Socket", "unixSocket", {"path": path}))


@field("gitRepository")
async def git_repository(ctx: Context, self: Address) -> Any:
    return await _evaluate(ctx, _repository(ctx, self.value))


@field("gitRef")
async def git_ref(ctx: Context, self: Address) -> Any:
    url, _, ref = self.value.partition("#")
    return await _evaluate(ctx, Call.make(_repository(ctx, url), "GitRef", "ref", {"name": ref or "HEAD"}))


async def _evaluate(ctx: Context, call: Call) -> Any:
    return await ctx.engine.resolver.evaluate(ctx.client, call)


def _host(ctx: Context) -> Call:
    return Call.make(None, "Host", "host", scope=ctx.client.id)


def _repository(ctx: Context, url: str) -> Call:
    if not url.startswith(_GIT):
        return Call.make(
            Call.make(_host(ctx), "Directory", "directory", {"path": _path(url)}), "GitRepository", "asGit"
        )
    return Call.make(None, "GitRepository", "git", {"url": url}, scope=ctx.client.id)


def _path(value: str) -> str:
    return value.removeprefix("file://")


def _git_tree(ctx: Context, value: str) -> tuple[Call, str] | None:
    """The tree of a git URL `URL#ref:subdir`, and the subdir; None for a path."""
    if not value.startswith(_GIT):
        return None
    url, _, rest = value.partition("#")
    ref, _, subpath = rest.partition(":")
    repository = Call.make(None, "GitRepository", "git", {"url": url}, scope=ctx.client.id)
    found = Call.make(repository, "GitRef", "ref", {"name": ref}) if ref else Call.make(repository, "GitRef", "head")
    return Call.make(found, "Directory", "tree"), subpath
