"""The patterns of a .dockerignore, cleaned as Docker cleans them."""

from __future__ import annotations

import posixpath


def names(dockerfile: str) -> tuple[str, str]:
    """Where they may be, the first found counts: beside the Dockerfile, then at the context's root."""
    return f"{dockerfile}.dockerignore", ".dockerignore"


def parse(text: str) -> tuple[str, ...]:
    """The patterns: what is left out of the context, `!` puts back in."""
    patterns = []
    for line in text.removeprefix("\ufeff").splitlines():
        if line.startswith("#") or not (pattern := line.strip()):
            continue
        back = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        if pattern:
            pattern = posixpath.normpath(pattern)
            if len(pattern) > 1:
                pattern = pattern.lstrip("/")
        if pattern:
            patterns.append(f"!{pattern}" if back else pattern)
    return tuple(patterns)
