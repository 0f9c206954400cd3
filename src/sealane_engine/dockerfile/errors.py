"""What is wrong with a Dockerfile, and on which line."""

from __future__ import annotations

from sealane_engine.errors import InvalidInput, NotFound


def missing(path: str) -> NotFound:
    """There is no Dockerfile at `path` (relative to the context)."""
    full = f"/{path.lstrip('/')}"
    return NotFound(
        f'failed to read Dockerfile "{path}": open {full}: no such file or directory', reason="dockerfile-missing"
    )


def bad(line: int, what: str, *, reason: str = "dockerfile-invalid", hint: str = "") -> InvalidInput:
    """The Dockerfile can't be built as it is."""
    return InvalidInput(
        f"failed to convert Dockerfile to LLB: dockerfile parse error on line {line}: {what}", reason=reason, hint=hint
    )
