"""What the sources of a COPY or ADD mean in a tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealane_engine.store.view import TreeView

_PATTERN = frozenset("*?[")
_GIT = re.compile(r"git@|git://|ssh://|https?://[^#?]*\.git(?:[#?]|$)")


def is_pattern(path: str) -> bool:
    return bool(_PATTERN & set(path))


def is_git(word: str) -> bool:
    """Whether a source is a git repository, by its address."""
    return _GIT.match(word) is not None


def split_parents(path: str) -> tuple[str, str]:
    """With --parents: the directory whose paths are kept ("" is the root), and what is wanted below it."""
    above, pivot, rest = path.partition("/./")
    return (above, rest) if pivot else ("", path)


def matching(view: TreeView, path: str, *, parents: bool = False) -> list[str]:
    """The paths a source means, relative to the tree's root ("" is the root itself): those of them that are there.

    `*` and `?` stay within a name; `**` crosses slashes with --parents only.
    """
    if parents:
        path = "/".join(part for part in split_parents(path) if part)
    if path == ".":
        return [""]
    if not is_pattern(path):
        return [path] if view.stat(f"/{path}") is not None else []
    wanted = path if parents else re.sub(r"\*{2,}", "*", path)
    return sorted(name.strip("/") for name in view.glob(wanted))
