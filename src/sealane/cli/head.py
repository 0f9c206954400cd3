"""What must be known of a call's words before its module's types are. It needs next to nothing, so an engine starts first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sealane.cli.options import GLOBAL_FLAGS
from sealane.errors import UsageError

CALL_FLAGS = (
    ("allow-llm", "", "string", ""),
    ("eager-runtime", "", "bool", ""),
    ("json", "j", "bool", "Present result as JSON"),
    (
        "mod",
        "m",
        "string",
        "Module reference to load, a local path or a git repository (defaults to current directory)",
    ),
    ("no-mod", "M", "bool", "Don't automatically load a module (mutually exclusive with --mod)"),
    ("output", "o", "string", "Save the result to a local file or directory"),
)


@dataclass(frozen=True, slots=True)
class Head:
    """What must be known before the types are: which module, whether help is wanted."""

    mod: str = ""
    no_mod: bool = False
    help: bool = False
    words: tuple[str, ...] = field(default=())


def read_head(words: list[str]) -> Head:
    """Read -m, -M and --help. Flags of the module are unknown yet: each may have one value."""
    wanted = any(word in ("--help", "-h") for word in words)
    rest = [word for word in words if word not in ("--help", "-h")] if wanted else list(words)
    head = Head(help=wanted, words=tuple(rest))
    while rest and rest[0].startswith("-") and rest[0] != "--":
        name, equals, value = rest[0].partition("=")
        rest = rest[1:]
        if name in ("-m", "--mod") or (name.startswith("-m") and not name.startswith("--") and len(name) > 2):
            if len(name) > 2 and not name.startswith("--"):
                value = name[2:]
            elif not equals:
                if not rest:
                    raise UsageError("flag needs an argument: --mod", reason="flag-needs-argument")
                value, rest = rest[0], rest[1:]
            head = replace(head, mod=value)
        elif name in ("-M", "--no-mod"):
            head = replace(head, no_mod=value.lower() not in ("0", "f", "false"))
        elif not equals and rest and not rest[0].startswith("-") and name not in _SWITCHES:
            rest = rest[1:]
    if head.mod and head.no_mod:
        raise UsageError(
            "if any flags in the group [mod no-mod] are set none of the others can be; [mod no-mod] were all set",
            reason="mod-and-no-mod",
        )
    return head


_SWITCHES = {
    spelled
    for name, short, kind, *_ in (*GLOBAL_FLAGS, *CALL_FLAGS)
    if kind != "string"
    for spelled in (f"--{name}", f"-{short}")
}
