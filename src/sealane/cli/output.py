"""A result as text: plain or JSON, on stdout and, when asked for, in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sealane.cli import ids
from sealane.cli.schema import Ref, Types

EXPORTED = ("Container", "Directory", "File", "Changeset")


def present(types: Types, returns: Ref, response: Any, *, output: str, as_json: bool) -> None:
    """Print what a call answered, as `dagger call` does."""
    if types[returns].kind == "VOID_KIND":
        return
    provider = types.provider(returns)
    if provider is not None:
        if output and provider.name in EXPORTED:
            print(f'Saved to "{response}".', file=sys.stderr)
        else:
            sys.stdout.write(result_text(types, returns, response))
        return
    text = json_text(response) if as_json else result_text(types, returns, response)
    if output:
        target = Path(output)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(f'Saved output to "{target.absolute()}".', file=sys.stderr)
    sys.stdout.write(text)
    if sys.stdout.isatty() and not text.endswith("\n"):
        sys.stdout.write("\n")


def result_text(types: Types, returns: Ref, response: Any) -> str:
    """An answer as text: a scalar as it is, an object by what it is and its digest, nothing for void."""
    if types[returns].kind == "VOID_KIND":
        return ""
    return plain_text(response) if types.provider(returns) is None else _objects(response)


def json_text(response: Any) -> str:
    return json.dumps(response, indent=4, ensure_ascii=False) + "\n"


def plain_text(response: Any) -> str:
    """A string as it is, each element of a list on a line."""
    if isinstance(response, list):
        return "".join(plain_text(item) + "\n" for item in response)
    if isinstance(response, dict):
        return "".join(plain_text(item) for item in response.values())
    if isinstance(response, bool):
        return str(response).lower()
    if isinstance(response, float) and response.is_integer() and abs(response) < 1e21:
        return str(int(response))
    return "<nil>" if response is None else str(response)


def _objects(response: Any) -> str:
    if response is None:
        return ""
    if isinstance(response, list):
        return "".join(f"- {_objects(item)}" for item in response)
    encoded = response["id"] if isinstance(response, dict) else response
    return ids.shown(str(encoded)) + "\n"
