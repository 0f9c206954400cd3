"""Errors of a request, and how any error is told to a GraphQL client."""

from __future__ import annotations

import errno
import logging
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sealane_engine.errors import EngineError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger("sealane_engine.protocol")
SHOWN = 60


class DocumentError(InvalidInput):
    """The document, its variables or its arguments can't be right: nothing of the request is evaluated.

    `position` is an offset in the document, -1 if there is none.
    """

    reason = "bad-document"

    def __init__(self, message: str, *, position: int = -1, reason: str | None = None, hint: str = "") -> None:
        super().__init__(message, reason=reason, hint=hint)
        self.position = position


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant, or nothing."""
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def location(source: str, position: int) -> dict[str, int]:
    """Line and column, both from 1, of an offset."""
    before = source[:position].replace("\r\n", "\n").replace("\r", "\n")
    return {"line": before.count("\n") + 1, "column": len(before) - (before.rfind("\n") + 1) + 1}


def graphql_error(
    error: BaseException, *, source: str = "", position: int = -1, path: list[Any] | None = None
) -> dict[str, Any]:
    """A GraphQL error object. What isn't an engine error is a defect of ours: its traceback is logged."""
    told: dict[str, Any]
    if isinstance(error, EngineError):
        told = {"message": str(error), "extensions": error.extensions()}
    elif isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        told = {
            "message": f"a path is too long: …{str(error.filename)[-SHOWN:]}: keep names below 256 bytes and paths below 4000",
            "extensions": {"reason": "path-too-long"},
        }
    else:
        log.error("internal error in a request", exc_info=error)
        told = {
            "message": f"internal error: {type(error).__name__}: {error}",
            "extensions": {"reason": "internal-error"},
        }
    if position < 0 and isinstance(error, DocumentError):
        position = error.position
    if position >= 0:
        told["locations"] = [location(source, position)]
    if path:
        told["path"] = path
    return told


def refusal(error: BaseException, source: str = "") -> dict[str, Any]:
    """The answer to a request that isn't evaluated at all."""
    return {"errors": [graphql_error(error, source=source)]}
