"""`sealane run CMD…`: a command with a session in its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from sealane.cli.engine import exec_dagger, open_session
from sealane.cli.options import Options, head
from sealane.cli.progress import open_progress
from sealane.errors import SealaneError, UsageError

HELP = """Run a command with a session in its environment (DAGGER_SESSION_PORT, DAGGER_SESSION_TOKEN).

USAGE
  sealane run [options] <command>...

Example:
  sealane run python pipeline.py
"""


def run(options: Options, words: list[str]) -> int:
    options, words = head(options, words)
    if words[:1] == ["--"]:
        words = words[1:]
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(HELP)
        return 0 if words else 1
    if words[0].startswith("-"):
        raise UsageError(f"unknown flag: {words[0]}", command="sealane run", reason="unknown-flag")
    if options.engine == "dagger":
        exec_dagger(["run", *words], options.environ)
    progress = open_progress(options)
    try:
        with open_session(options, progress) as opened:
            return run_command(words, opened.environment(options.environ))
    finally:
        progress.close()


def run_command(command: list[str], environ: dict[str, str]) -> int:
    """Run a command to its end, handing signals on; its exit code (128 + n after signal n)."""
    try:
        process = subprocess.Popen(command, env=environ)
    except OSError as error:
        raise SealaneError(f"{command[0]}: {error.strerror}", reason="command-not-run") from None
    previous = {
        number: signal.signal(number, lambda received, _: process.send_signal(received))
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    # a terminal's Ctrl-C reaches the command itself; it decides what follows
    previous[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN if os.isatty(0) else _forward(process))
    try:
        code = process.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


def _forward(process: subprocess.Popen[bytes]):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return lambda received, _: process.send_signal(received)
