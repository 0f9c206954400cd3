"""Query: where chains begin."""

from __future__ import annotations

import platform as host_platform

from sealane_engine import VERSION
from sealane_engine.api.file import check_file_name
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Container, Directory, File
from sealane_engine.graph.operation import Edit, Ref, Scratch, WriteFile
from sealane_engine.oci.platform import normalised

query = Fields("Query")
MACHINES = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}


def default_platform() -> str:
    return MACHINES.get(host_platform.machine(), "linux/amd64")


@query("version")
async def version(ctx: Context, self: None) -> str:
    return VERSION


@query("defaultPlatform")
async def default_platform_field(ctx: Context, self: None) -> str:
    return default_platform()


@query("container")
async def container(ctx: Context, self: None, *, platform: str | None = None) -> Container:
    own = default_platform()
    return Container(platform=normalised(platform, own) if platform else own)


@query("directory")
async def directory(ctx: Context, self: None) -> Directory:
    return Directory(platform=default_platform())


@query("file")
async def file(ctx: Context, self: None, *, name: str, contents: str, permissions: int | None = None) -> File:
    check_file_name(name)
    path = f"/{name}"
    mode = 0o644 if permissions is None else permissions
    return File(Ref(Edit(Scratch(), WriteFile(path, contents.encode(), mode)), path))
