"""`sealane up`: start a module's services and map their ports to this machine, until it is interrupted."""

from __future__ import annotations

from sealane.cli import groups
from sealane.cli.options import Options
from sealane.errors import UsageError

HELP = """Start services defined by the module and expose them on the host

USAGE
  sealane up [options] [pattern...]

OPTIONS
  -l, --list         List available services
  -m, --mod string   Module reference to load

Examples:
  sealane up                       # Start all services
  sealane up -l                    # List all available services
  sealane up web                   # Start only the 'web' service
"""
VERB = groups.Verb("up", HELP, {"-l": "list", "--list": "list"}, "services", "UpGroup")


def run(options: Options, words: list[str]) -> int:
    asked = groups.asked(VERB, options, words)
    if asked is None:
        return 0
    with groups.opened(VERB, *asked) as (group, progress):
        if "list" in asked[1].switches:
            progress.close()
            groups.print_list(group)
            return 0
        if not group.ask("list{name}")["list"]:
            raise UsageError(
                "no function of the module is marked as a service (@up), or none has that name", reason="no-services"
            )
        try:
            group.ask("run{id}")
        except KeyboardInterrupt:  # that is how it ends
            return 0
    return 0
