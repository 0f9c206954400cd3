"""Finding paths of a tree by pattern, as Directory.glob does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane_engine.store.wildcard import Pattern

if TYPE_CHECKING:
    from sealane_engine.store.view import TreeView


def glob(view: TreeView, pattern: str, path: str = "/") -> list[str]:
    """Paths below `path`, relative to it, that match; a directory ends with a slash. Links aren't followed."""
    compiled = Pattern(pattern)
    start = view.resolve(path)
    skip = len(start) + 1 if start != "/" else 1
    matched: set[str] = set()

    def enter(relative: str) -> bool:
        return relative in matched or compiled.may_match_below(relative)

    found = []
    for full, entry in view.walk(start, lambda entry: enter(entry.path[skip:])):
        relative = full[skip:]
        if compiled.matches(relative):
            if entry.kind == "dir":
                matched.add(relative)
            found.append(relative + "/" if entry.kind == "dir" else relative)
    return found
