"""Paths inside a tree, as text: absolute, without dots; `..` stops at the root. Names that aren't UTF-8 are surrogates."""

from __future__ import annotations

import os

from sealane_engine.errors import InvalidInput


def clean(path: str) -> str:
    """`path` from the root: "/a/b". What `..` means before links are followed, as Dagger takes it."""
    if "\0" in path:
        raise InvalidInput(f"path {path!r} contains a NUL", reason="bad-path", hint="remove it")
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def join(directory: str, name: str) -> str:
    return f"/{name}" if directory == "/" else f"{directory}/{name}"


def split(path: str) -> tuple[str, str]:
    """A clean path's directory and last name; ("/", "") for the root."""
    directory, _, name = path.rpartition("/")
    return directory or "/", name


def parts(path: str) -> list[str]:
    """The names of a clean path."""
    return path[1:].split("/") if path != "/" else []


def names_directory(path: str) -> bool:
    """Whether the text asks for a directory: `a/`, `a/.`, `.` or the root."""
    return path in ("", ".", "/") or path.endswith(("/", "/."))


def encode(path: str) -> bytes:
    return os.fsencode(path)
