"""`sealane shell`: functions as commands, joined by pipes, as `dagger shell` runs them."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.cli.call import print_exec_failure
from sealane.cli.engine import Opened, open_session
from sealane.cli.progress import open_progress
from sealane.errors import ExecFailed, ModuleNotFound, SealaneError, UsageError

if TYPE_CHECKING:
    from sealane.cli.options import Options
    from sealane.cli.progress import Progress
    from sealane.cli.shell.interpreter import Shell

COMMAND = "sealane shell"
HELP = """Run a script of pipelines of functions: of a module, and of Dagger itself.

Without -c and without files, a script is read from standard input; on a terminal, line by line.

USAGE
  sealane shell [options] [file...]

OPTIONS
  -c, --command string   Run this script
  -m, --mod string       Module reference to load
  -M, --no-mod           Don't automatically load a module

Examples:
  sealane shell -c 'container | from debian:bookworm-slim | with-exec -- id -u | stdout'
  sealane shell -c 'base=$(container | from debian:bookworm-slim); $base | with-exec ls,/ | stdout'
  sealane shell -c 'container | .help with-exec'
"""


@dataclass(slots=True)
class _Asked:
    mod: str = ""
    no_mod: bool = False
    script: str | None = None
    files: tuple[str, ...] = ()


def run(options: Options, words: list[str]) -> int:
    if options.engine == "dagger":
        from sealane.cli import dagger

        return dagger.verb(options, ["shell", *words])
    from sealane.cli.options import strip
    from sealane.cli.shell.syntax import parse

    options, words = strip(options, words)
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(HELP)
        return 0
    asked = _read(words)
    sources = _sources(asked)
    scripts = [parse(source) for source in sources or ()]
    progress = open_progress(options if scripts else replace(options, silent=True))
    screen = _Screen(progress)
    try:
        with open_session(options, progress) as opened:
            shell = _shell(opened, asked, screen)
            if sources is None:
                return _ask(shell)
            return next((code for script in scripts if (code := shell.run(script))), 0)
    except ExecFailed as error:
        screen.close()
        print_exec_failure(error, shown=progress.shows_failures)
        return error.exit_code
    finally:
        screen.close()


class _Screen:
    """Where answers go: to stdout at once, unless progress is drawn there; then when it has ended."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._held: list[str] | None = [] if progress.shows_failures and sys.stdout.isatty() else None

    def write(self, text: str) -> None:
        if self._held is not None:
            self._held.append(text)
            return
        sys.stdout.write(text)
        if sys.stdout.isatty() and text and not text.endswith("\n"):
            sys.stdout.write("\n")
        sys.stdout.flush()

    def close(self) -> None:
        self.progress.close()
        held, self._held = self._held, None
        for text in held or ():
            self.write(text)


def _shell(opened: Opened, asked: _Asked, screen: _Screen) -> Shell:
    from sealane.cli import schema
    from sealane.cli.serve import serve_module
    from sealane.cli.shell.interpreter import Shell

    def load() -> schema.Types:
        return schema.load(opened.session, hide_core=False, embedded=opened.embedded)

    with screen.progress.span(f"load workspace: {asked.mod or '.'}"):
        if not asked.no_mod:
            with contextlib.suppress(*() if asked.mod else (ModuleNotFound,)):
                serve_module(opened.session, asked.mod)
        return Shell(opened.session, load(), screen.write, load)


def _ask(shell: Shell) -> int:
    """Line by line from a terminal; an error ends a line only."""
    import readline  # noqa: F401 - it gives `input` a history

    from sealane.cli.shell.syntax import parse

    while True:
        try:
            line = input("⋈ ")
        except EOFError:
            print()
            return 0
        try:
            code = shell.run(parse(line))
        except ExecFailed as error:
            print_exec_failure(error, shown=False)
        except SealaneError as error:
            print(f"Error: {error}", file=sys.stderr)
        else:
            if code is not None:
                return code


def _read(words: list[str]) -> _Asked:
    valued = {"-c": "script", "--command": "script", "-m": "mod", "--mod": "mod"}
    found: dict[str, str] = {}
    files: list[str] = []
    no_mod = False
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in valued:
            if not equals and not rest:
                raise UsageError(f"flag needs an argument: {name}", command=COMMAND, reason="flag-needs-argument")
            found[valued[name]] = value if equals else rest.pop(0)
        elif word in ("-M", "--no-mod"):
            no_mod = True
        elif word.startswith("-") and word != "-":
            raise UsageError(f"unknown flag: {word}", command=COMMAND, reason="unknown-flag")
        else:
            files.append(word)
    if no_mod and "mod" in found:
        raise UsageError("--mod and --no-mod exclude each other", command=COMMAND, reason="mod-and-no-mod")
    if files and "script" in found:
        raise UsageError(f"-c and a file exclude each other: {files[0]}", command=COMMAND, reason="script-and-file")
    return _Asked(found.get("mod", ""), no_mod, found.get("script"), tuple(files))


def _sources(asked: _Asked) -> list[str] | None:
    """The scripts; None if lines are to be asked for."""
    if asked.script is not None:
        return [asked.script]
    if not asked.files:
        return None if sys.stdin.isatty() else [sys.stdin.read()]
    try:
        return [sys.stdin.read() if each == "-" else Path(each).read_text(encoding="utf-8") for each in asked.files]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the script can't be read: {error}", command=COMMAND, reason="script-unreadable") from None
