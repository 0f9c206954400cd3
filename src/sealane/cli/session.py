"""`sealane session`: the contract of `dagger session`, by which an SDK starts an engine of its own.

One line {"port":N,"session_token":"…"} on stdout, then alive until stdin ends.
`_EXPERIMENTAL_DAGGER_CLI_BIN=sealane python pipeline.py` needs nothing more.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from sealane.cli.engine import EngineProcess
from sealane.cli.options import Options, take
from sealane.cli.progress import open_progress
from sealane.cli.telemetry import exporter
from sealane.errors import UsageError

HELP = """Start a session for an SDK: prints its port and token as JSON and lives until stdin ends.

USAGE
  sealane session [--workdir DIR] [--label NAME:VALUE]...
"""
_IGNORED_VALUES = frozenset(("--label", "--version", "--project", "--workspace", "-W"))
_IGNORED = frozenset(("--load-workspace-modules", "--skip-workspace-modules"))


def run(options: Options, words: list[str]) -> int:
    if options.engine == "dagger":
        from sealane.cli.engine import exec_dagger

        exec_dagger(["session", *words], options.environ)
    if {"-h", "--help"} & set(words):
        sys.stdout.write(HELP)
        return 0
    options = read(options, words)
    os.chdir(options.workdir)
    progress = open_progress(options)
    engine = EngineProcess(options, progress, exporter(options.environ), own_stdin=False)
    engine.greet()
    signal.signal(signal.SIGTERM, lambda *_: engine.process.terminate())
    signal.signal(signal.SIGINT, lambda *_: engine.process.terminate())
    try:
        line = json.dumps({"port": engine.port, "session_token": engine.token}, separators=(",", ":"))
        print(line, flush=True)
        engine.process.wait()
    finally:
        engine.end()
        progress.close()
    return 0 if engine.process.returncode in (0, -signal.SIGTERM) else 1


def read(options: Options, words: list[str]) -> Options:
    """Read the words of an SDK; those that only Dagger's own engine has a use for are accepted."""
    while words:
        name, equals, _ = words[0].partition("=")
        taken = take(options, words)
        if taken is not None:
            options, words = taken.options, words[taken.words :]
        elif name in _IGNORED_VALUES:
            words = words[1 if equals else 2 :]
        elif name in _IGNORED:
            words = words[1:]
        else:
            raise UsageError(f"unknown flag: {words[0]}", command="sealane session", reason="unknown-flag")
    return options
