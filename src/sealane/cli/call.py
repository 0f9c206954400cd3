"""`sealane call`: call a chain of a module's functions, as `dagger call` does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sealane.cli import own
from sealane.cli.engine import Opened, open_session
from sealane.cli.head import Head, read_head
from sealane.cli.options import Options
from sealane.cli.progress import Progress, open_progress
from sealane.errors import ExecFailed, SealaneError, UsageError

if TYPE_CHECKING:
    from sealane.cli import chain as chains
    from sealane.cli import schema, selection

COMMAND = "sealane call"
_CONTEXT = "The run's context as JSON"
_GIT = "Git's folder (.git)"
_AHEAD = ("sealane.cli.wire", "sealane.cli.selection", "sealane.cli.output")


def run(options: Options, words: list[str]) -> int:
    """Call what the words say; the exit code."""
    words = own.completed(words)
    if options.engine == "dagger":
        from sealane.cli import dagger

        return dagger.call(options, words)
    head = read_head(words)
    progress = open_progress(options)
    try:
        return _run(options, head, progress)
    except UsageError:
        raise
    except ExecFailed as error:
        progress.close()
        print_exec_failure(error, shown=progress.shows_failures)
        return error.exit_code
    except SealaneError as error:
        progress.close()
        if not head.help:
            raise
        from sealane.cli.help import broken_help

        print(f"Error: {error}\n", file=sys.stderr)
        sys.stdout.write(broken_help(COMMAND))
        return error.exit_code
    finally:
        progress.close()


def _run(options: Options, head: Head, progress: Progress) -> int:
    with open_session(options, progress, ahead=_AHEAD) as opened:
        from sealane.cli import chain as chains
        from sealane.cli import selection

        types = load_types(opened, head, progress)
        with progress.span("parsing command line arguments"):
            words = list(head.words)
            if not head.help:
                words = with_context(types, with_repository(types, words, options), options)
            chain = chains.read(types, words, command=COMMAND, help_wanted=head.help)
            selections = [] if head.help else selection.resolved(opened.session, chain)
        if head.help:
            from sealane.cli.help import chain_help

            progress.close()
            sys.stdout.write(chain_help(types, chain))
            return 0
        if chain.function is not None and chain.function.command == "pipeline":
            from sealane.cli.pipeline import report_of

            report = report_of(types, chain, selections)
        else:
            report = None
        if report is None:
            _call(opened, types, chain, selections, progress, output=chain.output, apply=options.auto_apply)
            return 0
        failure: SealaneError | None = None
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as beside:
            # Both ask for the same steps: the engine runs each once for the two of them, a failing one too.
            exported = beside.submit(report.export, opened.session)
            try:
                _call(opened, types, chain, selections, progress, output="")
            except SealaneError as error:
                failure = error
            exported.result()
        progress.close()
        report.tell()
    report.merge(opened.events)
    if failure is not None:
        raise failure
    return 0


def with_context(types: schema.Types, words: list[str], options: Options) -> list[str]:
    """The words with `--context` for a module that asks for it as Sealane's does, unless they say it themselves."""
    if not _asks(types, "context", _CONTEXT) or any(
        word == "--context" or word.startswith("--context=") for word in words
    ):
        return words
    import json
    from pathlib import Path

    from sealane.vendors.context import read

    return ["--context", json.dumps(read(options.environ, Path()).as_json()), *words]


def with_repository(types: schema.Types, words: list[str], options: Options) -> list[str]:
    """The words with Git's folder, for a module that asks for it as Sealane's does, where they need it."""
    if not _asks(types, "git", _GIT):
        return words
    from sealane.cli import repository

    return repository.completed(words, options.environ)


def _asks(types: schema.Types, name: str, description: str) -> bool:
    """Whether the module's constructor has this argument, described in these words."""
    constructor = types.root.function("with")
    arguments = constructor.args if constructor is not None else ()
    return any(each.name == name and each.description.startswith(description) for each in arguments)


def load_types(opened: Opened, head: Head, progress: Progress) -> schema.Types:
    """Serve the module that the words name, and fetch the types of the session."""
    from sealane.cli import schema
    from sealane.cli.serve import serve_module

    with progress.span(f"load workspace: {head.mod or '.'}"):
        if not head.no_mod:
            serve_module(opened.session, head.mod)
        return schema.load(opened.session, hide_core=not head.no_mod, embedded=opened.embedded)


def _call(
    opened: Opened,
    types: schema.Types,
    chain: chains.Chain,
    selections: list[selection.Selection],
    progress: Progress,
    *,
    output: str,
    apply: bool = False,
) -> None:
    from sealane.cli import selection
    from sealane.cli.output import present

    leaf = [] if chain.returns.name == "Query" else selection.leaf(types, chain.returns, output)
    if not selections or chain.returns.name == "Query":
        progress.close()
        print("Query")
        return
    response = selection.ask(opened.session, selections + leaf)
    progress.close()
    if not output:
        from sealane.cli import changes

        if changes.is_one(types, chain.returns):
            changes.settle(opened.session, response, apply=apply)
            return
    present(types, chain.returns, response, output=output, as_json=chain.json)


def print_exec_failure(error: ExecFailed, *, shown: bool) -> None:
    """The failed command's exit code, and its output unless progress has shown it already."""
    print(f"Error: {error.message}", file=sys.stderr)
    for name, text in (("Stdout", error.stdout), ("Stderr", error.stderr)):
        if text and not shown:
            print(f"{name}:\n{text}", file=sys.stderr)
