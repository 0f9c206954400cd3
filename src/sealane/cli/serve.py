"""Which module a session serves: found by `-m` or from the working directory upwards."""

from __future__ import annotations

from sealane.cli.wire import Session, literal
from sealane.errors import ModuleNotFound


def serve_module(session: Session, ref: str) -> None:
    """Load a module into the session, its functions directly on Query."""
    source = f"moduleSource(refString:{literal(ref or '.')})"
    if not session.query(f"query{{{source}{{configExists}}}}")["moduleSource"]["configExists"]:
        raise ModuleNotFound(
            f'no dagger.json in "{ref or "."}" or in a directory above it',
            hint="Run this inside a module's directory, or name one with -m.",
        )
    session.query(f"query{{{source}{{asModule{{serve(entrypoint:true)}}}}}}")
