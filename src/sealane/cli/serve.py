"""Which module a session serves: found by `-m` or from the working directory upwards."""

from __future__ import annotations

from sealane.cli.wire import Session, literal
from sealane.errors import ModuleNotFound


def serve_module(session: Session, ref: str) -> None:
    """Load a module into the session, its functions directly on Query."""
    source = _source(ref)
    if not _exists(session, source):
        raise ModuleNotFound(
            f'no dagger.json in "{ref or "."}" or in a directory above it',
            hint="Run this inside a module's directory, or name one with -m.",
        )
    session.query(f"query{{{source}{{asModule{{serve(entrypoint:true)}}}}}}")


def serve_if_there(session: Session, ref: str) -> None:
    """Load the module that is named, or the one here when there is one; its dependencies are callable too."""
    source = _source(ref)
    if ref or _exists(session, source):
        session.query(f"query{{{source}{{asModule{{serve(includeDependencies:true)}}}}}}")


def _source(ref: str) -> str:
    return f"moduleSource(refString:{literal(ref or '.')})"


def _exists(session: Session, source: str) -> bool:
    return bool(session.query(f"query{{{source}{{configExists}}}}")["moduleSource"]["configExists"])
