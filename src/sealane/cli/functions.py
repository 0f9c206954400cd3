"""`sealane functions`: the functions of a module, or of what a chain of them returns."""

from __future__ import annotations

import sys

from sealane.cli import own
from sealane.cli.call import load_types
from sealane.cli.engine import open_session
from sealane.cli.head import read_head
from sealane.cli.help import two_columns
from sealane.cli.options import Options, strip
from sealane.cli.progress import open_progress
from sealane.cli.schema import Type, Types
from sealane.errors import UsageError

COMMAND = "sealane functions"
HELP = """List available functions in a module.

This is similar to `sealane call --help`, but only focused on showing the
available functions.

USAGE
  sealane functions [options] [function]...
"""


def run(options: Options, words: list[str]) -> int:
    words = own.completed(words, source=False)
    if options.engine == "dagger":
        from sealane.cli import dagger

        return dagger.verb(options, ["functions", *words])
    options, words = strip(options, words)
    head = read_head(words)
    if head.help:
        sys.stdout.write(HELP)
        return 0
    progress = open_progress(options)
    try:
        with open_session(options, progress) as opened:
            types = load_types(opened, head, progress)
            owner = walk(types, path_of(list(head.words)))
        progress.close()
        return _print(types, owner)
    finally:
        progress.close()


def path_of(words: list[str]) -> list[str]:
    """The function names among the words."""
    names: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 2 if word in ("-m", "--mod") else 1
        if word.startswith("-"):
            if not word.startswith(("-m", "--mod", "-M", "--no-mod", "--eager-runtime")):
                raise UsageError(f"unknown flag: {word}", command=COMMAND, reason="unknown-flag")
        else:
            names.append(word)
    return names


def walk(types: Types, names: list[str]) -> Type:
    """The type whose functions are listed."""
    owner = types.root
    for name in names:
        function = owner.function(name)
        if function is None:
            raise UsageError(f'no function "{name}" in type "{owner.name}"', reason="unknown-function")
        if function.command in types.supported(owner)[1]:
            raise UsageError(
                f'function "{name}" in type "{owner.name}" is not supported', reason="unsupported-function"
            )
        following = types.provider(function.returns)
        if following is None:
            kind = types[function.returns].kind
            raise UsageError(
                f'function "{name}" returns type "{kind}" with no further functions available', reason="no-functions"
            )
        owner = following
    return owner


def _print(types: Types, owner: Type) -> int:
    functions, skipped = types.supported(owner)
    if not functions:
        print("No functions found.", file=sys.stderr)
        return 0
    rows = [(each.command, each.short) for each in sorted(functions, key=lambda each: each.name)]
    sys.stdout.write(two_columns("Name", "Description", rows))
    if skipped:
        print(f"\nSkipped {len(skipped)} function(s) with unsupported types: {', '.join(skipped)}")
    return 0
