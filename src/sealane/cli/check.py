"""`sealane check`: run a module's checks, or list them."""

from __future__ import annotations

import sys
from typing import Any

from sealane.cli.engine import open_session
from sealane.cli.head import read_head
from sealane.cli.help import two_columns
from sealane.cli.options import Options, strip
from sealane.cli.progress import open_progress
from sealane.cli.serve import serve_module
from sealane.cli.wire import Session, literal
from sealane.errors import PipelineFailed, UsageError
from sealane_engine.modules.names import kebab

HELP = """Check the state of your project by running tests, linters, etc.

USAGE
  sealane check [options] [pattern...]

OPTIONS
      --failfast      Cancel remaining checks on first failure
      --generate      Only run generate-as-checks, skip annotated check functions
  -l, --list          List available checks
  -m, --mod string    Module reference to load
      --no-generate   Only run annotated check functions, skip generate-as-checks

Examples:
  sealane check                    # Run all checks
  sealane check -l                 # List all available checks
  sealane check go:lint            # Run the go:lint check and any subchecks
"""
_SWITCHES = {"-l": "list", "--list": "list", "--failfast": "failfast", "--no-generate": "no", "--generate": "only"}


def run(options: Options, words: list[str]) -> int:
    if options.engine == "dagger":
        from sealane.cli import dagger

        return dagger.verb(options, ["check", *words])
    options, words = strip(options, words)
    head = read_head(words)
    if head.help:
        sys.stdout.write(HELP)
        return 0
    switches, patterns = _read(words)
    progress = open_progress(options)
    try:
        with open_session(options, progress) as opened:
            with progress.span(f"load workspace: {head.mod or '.'}"):
                serve_module(opened.session, head.mod)
            group = _group(opened.session, switches, patterns)
            if "list" in switches:
                progress.close()
                _list(opened.session, group)
                return 0
            failed = _run(opened.session, group, failfast="failfast" in switches)
        progress.close()
        return _report(failed)
    finally:
        progress.close()


def _read(words: list[str]) -> tuple[set[str], list[str]]:
    switches: set[str] = set()
    patterns: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 2 if word in ("-m", "--mod") else 1
        if word in _SWITCHES:
            switches.add(_SWITCHES[word])
        elif not word.startswith("-"):
            patterns.append(word)
        elif not word.startswith(("-m", "--mod", "-M")):
            raise UsageError(f"unknown flag: {word}", command="sealane check", reason="unknown-flag")
    if {"no", "only"} <= switches:
        raise UsageError(
            "if any flags in the group [no-generate generate] are set none of the others can be", reason="flag-group"
        )
    return switches, patterns


def _group(session: Session, switches: set[str], patterns: list[str]) -> str:
    arguments = [f"include:{literal(patterns)}"] if patterns else []
    arguments += ["noGenerate:true"] if "no" in switches else []
    arguments += ["onlyGenerate:true"] if "only" in switches else []
    checks = f"checks({','.join(arguments)})" if arguments else "checks"
    data = session.query(f"query{{currentWorkspace{{{checks}{{id}}}}}}")
    return str(data["currentWorkspace"]["checks"]["id"])


def _on_group(session: Session, group: str, selection: str) -> Any:
    return session.query(f"query{{node(id:{literal(group)}){{... on CheckGroup{{{selection}}}}}}}")["node"]


def _list(session: Session, group: str) -> None:
    found = _on_group(session, group, "list{name description checkType}")["list"]
    for kind, heading in (("check", "Name"), ("generate", "Generators")):
        rows = [
            (kebab_path(each["name"]), (each["description"] or "").split("\n", 1)[0])
            for each in found
            if (each["checkType"] == "generate") == (kind == "generate")
        ]
        if rows or kind == "check":
            sys.stdout.write(two_columns(heading, "Description" if kind == "check" else "", rows))


def _run(session: Session, group: str, *, failfast: bool) -> list[tuple[str, str]]:
    """The checks that failed, each with why."""
    call = "run(failFast:true)" if failfast else "run"
    ran = _on_group(session, group, f"{call}{{list{{name passed error{{message}}}}}}")["run"]["list"]
    return [(kebab_path(each["name"]), (each["error"] or {}).get("message", "")) for each in ran if not each["passed"]]


def _report(failed: list[tuple[str, str]]) -> int:
    for name, message in failed:
        print(f"✘ {name}: {message}" if message else f"✘ {name}", file=sys.stderr)
    if failed:
        raise PipelineFailed(f"{len(failed)} checks failed", reason="checks-failed")
    return 0


def kebab_path(name: str) -> str:
    """`myMod:lintAll` → `my-mod:lint-all`."""
    return ":".join(kebab(part) for part in name.split(":"))
