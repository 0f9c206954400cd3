"""`sealane query`: send a GraphQL document to the session, as `dagger query` does."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sealane.cli.engine import open_session
from sealane.cli.options import Options, strip
from sealane.cli.progress import open_progress
from sealane.cli.serve import serve_if_there
from sealane.errors import UsageError

COMMAND = "sealane query"
HELP = """Send API queries to the engine.

When no document file is provided, reads query from standard input.

Can optionally provide the GraphQL operation name if there are multiple
queries in the document.

USAGE
  sealane query [options] [operation]

OPTIONS
      --doc string        Read query from file (defaults to reading from stdin)
  -m, --mod string        Module reference to load
  -M, --no-mod            Don't automatically load a module
      --var strings       List of query variables, in key=value format
      --var-json string   Query variables in JSON format (overrides --var)

Example:
  echo '{ container { from(address: "debian:bookworm-slim") { withExec(args: ["id"]) { stdout } } } }' | sealane query
"""
_VALUED = {"--doc": "doc", "--var": "var", "--var-json": "var_json", "-m": "mod", "--mod": "mod"}


@dataclass(slots=True)
class _Asked:
    doc: str = ""
    var_json: str = ""
    mod: str = ""
    no_mod: bool = False
    operation: str = ""
    var: list[str] = field(default_factory=list)


def run(options: Options, words: list[str]) -> int:
    if options.engine == "dagger":
        from sealane.cli import dagger

        return dagger.verb(options, ["query", *words])
    options, words = strip(options, words)
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(HELP)
        return 0
    asked = _read(words)
    variables, document = _variables(asked), _document(asked.doc)
    progress = open_progress(options)
    try:
        with open_session(options, progress) as opened:
            if not asked.no_mod:
                serve_if_there(opened.session, asked.mod)
            data = opened.session.query(document, variables, asked.operation or None)
    finally:
        progress.close()
    print(json.dumps(data, indent=4, ensure_ascii=False))
    return 0


def _read(words: list[str]) -> _Asked:
    asked = _Asked()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in _VALUED and word.startswith("-"):
            if not equals:
                if not rest:
                    raise UsageError(f"flag needs an argument: {name}", command=COMMAND, reason="flag-needs-argument")
                value = rest.pop(0)
            if name == "--var":
                asked.var.append(value)
            else:
                setattr(asked, _VALUED[name], value)
        elif word in ("-M", "--no-mod"):
            asked.no_mod = True
        elif word.startswith("-"):
            raise UsageError(f"unknown flag: {word}", command=COMMAND, reason="unknown-flag")
        elif asked.operation:
            raise UsageError(
                f"accepts at most 1 arg(s): {asked.operation!r} and {word!r}",
                command=COMMAND,
                reason="too-many-arguments",
            )
        else:
            asked.operation = word
    return asked


def _variables(asked: _Asked) -> dict[str, Any]:
    if asked.var_json:
        try:
            found = json.loads(asked.var_json)
        except ValueError as error:
            raise UsageError(f"--var-json is not JSON: {error}", command=COMMAND, reason="bad-variables") from None
        if not isinstance(found, dict):
            raise UsageError("--var-json is not a JSON object", command=COMMAND, reason="bad-variables")
        return found
    found = {}
    for each in asked.var:
        name, equals, value = each.partition("=")
        if not equals:
            raise UsageError(f"--var {each!r} is not key=value", command=COMMAND, reason="bad-variables")
        found[name] = value
    return found


def _document(path: str) -> str:
    if path:
        try:
            return Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UsageError(f"--doc {path}: {why}", command=COMMAND, reason="bad-document") from None
    if sys.stdin.isatty():
        raise UsageError("no query: give --doc, or write one to standard input", command=COMMAND, reason="no-document")
    return sys.stdin.read()
