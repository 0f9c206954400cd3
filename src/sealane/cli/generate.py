"""`sealane generate`: run a module's generators, and apply what they change here; or list them."""

from __future__ import annotations

from sealane.cli import changes, groups
from sealane.cli.options import Options
from sealane.errors import UsageError

HELP = """Generate assets of your project

USAGE
  sealane generate [options] [pattern...]

OPTIONS
  -y, --auto-apply   Automatically apply the changes
  -l, --list         List available generators
  -m, --mod string   Module reference to load

Examples:
  sealane generate                 # Generate all assets
  sealane generate -l              # List all available generators
  sealane generate go:bin          # Generate by selecting the generator function
"""
VERB = groups.Verb("generate", HELP, {"-l": "list", "--list": "list"}, "generators", "GeneratorGroup")


def run(options: Options, words: list[str]) -> int:
    asked = groups.asked(VERB, options, words)
    if asked is None:
        return 0
    options, found = asked
    with groups.opened(VERB, options, found) as (group, progress):
        if "list" in found.switches:
            progress.close()
            groups.print_list(group)
            return 0
        if found.patterns and not group.ask("list{name}")["list"]:
            raise UsageError(
                f"the module has no generator {' or '.join(found.patterns)}",
                reason="no-generator",
                hint="sealane generate -l lists those it has.",
            )
        made = group.ask("run{changes(onConflict:FAIL_EARLY){id:sync}}")["run"]["changes"]["id"]
        progress.close()
        changes.settle(group.session, made, apply=options.auto_apply, saves=False)
    return 0
