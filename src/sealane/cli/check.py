"""`sealane check`: run a module's checks, or list them."""

from __future__ import annotations

import sys

from sealane.cli import groups
from sealane.cli.help import two_columns
from sealane.cli.options import Options
from sealane.errors import PipelineFailed, UsageError

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
VERB = groups.Verb("check", HELP, _SWITCHES, "checks", "CheckGroup")


def run(options: Options, words: list[str]) -> int:
    asked = groups.asked(VERB, options, words)
    if asked is None:
        return 0
    switches = asked[1].switches
    if {"no", "only"} <= switches:
        raise UsageError(
            "if any flags in the group [no-generate generate] are set none of the others can be", reason="flag-group"
        )
    arguments = [word for name, word in (("no", "noGenerate:true"), ("only", "onlyGenerate:true")) if name in switches]
    with groups.opened(VERB, *asked, *arguments) as (group, progress):
        if "list" in switches:
            progress.close()
            _list(group)
            return 0
        failed = _run(group, failfast="failfast" in switches)
    return _report(failed)


def _list(group: groups.Group) -> None:
    found = group.ask("list{name description checkType}")["list"]
    for kind, heading in (("check", "Name"), ("generate", "Generators")):
        rows = [groups.described(each) for each in found if (each["checkType"] == "generate") == (kind == "generate")]
        if rows or kind == "check":
            sys.stdout.write(two_columns(heading, "Description" if kind == "check" else "", rows))


def _run(group: groups.Group, *, failfast: bool) -> list[tuple[str, str]]:
    """The checks that failed, each with why."""
    call = "run(failFast:true)" if failfast else "run"
    ran = group.ask(f"{call}{{list{{name passed error{{message}}}}}}")["run"]["list"]
    return [
        (groups.kebab_path(each["name"]), (each["error"] or {}).get("message", ""))
        for each in ran
        if not each["passed"]
    ]


def _report(failed: list[tuple[str, str]]) -> int:
    for name, message in failed:
        print(f"✘ {name}: {message}" if message else f"✘ {name}", file=sys.stderr)
    if failed:
        raise PipelineFailed(f"{len(failed)} checks failed", reason="checks-failed")
    return 0
