"""The pinned tools of `tools.toml`."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources


@functools.cache
def _table() -> dict[str, dict[str, str]]:
    text = resources.files("sealane.stages").joinpath("tools.toml").read_text()
    return tomllib.loads(text)


def requirement(name: str) -> str:
    """`name==version`, as pip takes it."""
    return f"{name}=={_table()['python'][name]}"


def node_requirement(name: str) -> str:
    """`name@version`, as npm takes it."""
    return f"{name}@{_table()['node'][name]}"


def image(name: str) -> str:
    return _table()["image"][name]


def python_image() -> str:
    return image("python")


def download(name: str) -> str:
    """The address of a tool that comes as a file."""
    return _table()["download"][name]


def go_module(name: str) -> str:
    """`path@version`, as `go install` takes it."""
    return _table()["go"][name]
