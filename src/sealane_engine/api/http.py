"""Query.http: a file of the web. It counts by its content; a session asks its server once."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import File, Service
from sealane_engine.errors import InvalidInput
from sealane_engine.graph.operation import Filled, Ref

if TYPE_CHECKING:
    from sealane_engine.net.route import Route
    from sealane_engine.secrets.secret import Secret

query = Fields("Query")
MODE = 0o600


@query("http")
async def http(
    ctx: Context,
    self: None,
    *,
    url: str,
    name: str | None = None,
    permissions: int | None = None,
    checksum: str | None = None,
    authHeader: Secret | None = None,
    experimentalServiceHost: Service | None = None,
) -> File:
    header = ctx.engine.secrets.reveal(authHeader).decode() if authHeader else ""
    route = await ctx.route(experimentalServiceHost, "")
    return File(await fetched_file(ctx, url, name, permissions, checksum or "", header, route))


async def fetched_file(
    ctx: Context,
    url: str,
    name: str | None,
    permissions: int | None,
    checksum: str,
    header: str,
    route: Route | None = None,
) -> Ref:
    """The file at an address, alone in a tree; `route` is the way to a service (None: one that runs may be named)."""
    from sealane_engine.http.fetch import check_digest, fetch, file_name

    called = name or file_name(url)
    if "/" in called or called in (".", ".."):
        raise InvalidInput(f"{called!r} is no file name", reason="bad-name", hint="give a name without slashes")
    route = route or await ctx.route(None, urlsplit(url).hostname or "")
    store = ctx.engine.store
    fetched = await fetch(
        store,
        url,
        header=header,
        checksum=check_digest(checksum) if checksum else "",
        own_machine=ctx.client.extra.get("workdir") is not None,
        route=route,
    )
    mode = MODE if permissions is None else permissions

    def write(folder: Path) -> None:
        folder.mkdir()
        path = folder / called
        shutil.copyfile(store.blob_path(fetched.digest), path)
        path.chmod(mode)
        for each in (path, folder):
            os.utime(each, (fetched.seconds, fetched.seconds))

    async def fill(folder: Path) -> None:
        await asyncio.to_thread(write, folder)

    inputs = (("content", fetched.digest), ("name", called), ("mode", mode), ("seconds", fetched.seconds))
    return Ref(Filled("http", inputs, fill), f"/{called}")
