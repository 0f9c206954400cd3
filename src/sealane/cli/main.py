"""The words of the command line: global options, then a verb, which is imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import replace

from sealane.cli.options import WRAPPERS, Options, from_environment, head, scan
from sealane.errors import ExecFailed, SealaneError, UsageError

VERBS = {
    "call": "Call one or more functions, interconnected into a pipeline",
    "functions": "List available functions",
    "check": "Check the state of your project by running tests, linters, etc.",
    "generate": "Generate assets of your project",
    "up": "Start a module's services, and map their ports to this machine",
    "lock": "Pin base images in sealane.lock, or say which have moved",
    "verify": "Check an image's signature, provenance and SBOMs against the policy",
    "init": "Look at a project and write the configuration it needs",
    "plan": "Show which stages would run, with what, and why; run nothing",
    "gates": "Judge a report again by the present configuration, without running anything",
    "shell": "Run a script of pipelines of functions, or ask for its lines",
    "query": "Send a GraphQL document to the session",
    "run": "Run a command with a session in its environment",
    "session": "Start a session for an SDK",
    "doctor": "Show what this machine offers a sandbox, and what is missing",
    "cache": "Show, forget, prune or carry elsewhere what the engine keeps on disk",
    "ci": "Generate and check the wrappers of CI vendors; run what an event is for",
    "context": "Show what the CI vendor says of this run",
}
_ALIASES = {"checks": "check"}
_OWN_WORDS = frozenset(("run", "session"))  # verbs whose later words aren't ours to scan


def run(words: list[str]) -> int:
    """Run the command line; the exit code. Users never see a traceback for a mistake of theirs."""
    options = None
    try:
        options = from_environment(dict(os.environ))
        return _dispatch(options, words)
    except ExecFailed as error:
        from sealane.cli.call import print_exec_failure

        print_exec_failure(error, shown=False)
        return error.exit_code
    except UsageError as error:
        print(f"Error: {error}", file=sys.stderr)
        if error.command:
            print(f"Run '{error.command} --help' for usage.", file=sys.stderr)
        return error.exit_code
    except SealaneError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Canceled.", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _dispatch(options: Options, words: list[str]) -> int:
    options, words = head(options, words)
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return 0
    if words[0] in ("--version", "version"):
        print(version())
        return 0
    verb, words = _ALIASES.get(words[0], words[0]), words[1:]
    if verb == "api" and words[:1] in (["call"], ["functions"]):  # as Dagger 1.0 spells them
        verb, words = words[0], words[1:]
    if verb not in VERBS:
        raise UsageError(f'unknown command "{verb}" for "sealane"', command="sealane", reason="unknown-verb")
    if verb not in _OWN_WORDS:
        options = scan(options, words)
        _change_directory(options)
        options = replace(options, workdir=".")
    elif verb == "run":
        _change_directory(options)
    if verb != "ci" and options.engine in WRAPPERS:
        raise UsageError(f'unknown engine "{options.engine}"', reason="unknown-engine", hint="Use embedded or dagger.")
    module = importlib.import_module(f"sealane.cli.{verb}")
    code: int = module.run(options, words)
    return code


def _change_directory(options: Options) -> None:
    if options.workdir in ("", "."):
        return
    try:
        os.chdir(options.workdir)
    except OSError as error:
        raise UsageError(f"change workdir: {options.workdir}: {error.strerror}", reason="workdir") from None


def overview() -> str:
    """What `sealane --help` says."""
    from sealane.cli.help import global_options, table, title

    return (
        "One pipeline in Python. Any engine, any CI.\n\n"
        f"{title('Usage')}\n  sealane [options] <command>\n\n"
        f"{title('Commands')}\n{table(VERBS.items())}\n\n"
        f"{title('Options')}\n{global_options()}\n      --version                Print the version\n\n"
        'Use "sealane [command] --help" for more information about a command.\n'
    )


def version() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return f"sealane {installed('sealane')}"
    except PackageNotFoundError:
        return "sealane (from source)"
