"""`--help` of a chain of functions, laid out as Dagger's: usage, functions, arguments, options."""

from __future__ import annotations

import os
import re
import sys
import textwrap

from sealane.cli.chain import Chain
from sealane.cli.flags import Flag
from sealane.cli.head import CALL_FLAGS
from sealane.cli.options import GLOBAL_FLAGS
from sealane.cli.schema import Types, first_line

CALL_SUMMARY = "Call one or more functions, interconnected into a pipeline"


def chain_help(types: Types, chain: Chain) -> str:
    """The help text of what the words name so far."""
    at_root = chain.function is None
    summary = CALL_SUMMARY if chain.function is None else chain.function.description or chain.function.short
    arguments = [flag for flag in chain.flags if flag.argument is not None]
    functions = (
        types.supported(chain.owner)[0] if chain.owner is not None and types[chain.returns].element is None else []
    )
    usage = chain.command + (" [options]" if at_root else "")
    usage += (" [arguments]" if arguments else "") + (" <function>" if functions else "")
    sections = [summary.rstrip(), f"{title('Usage')}\n  {usage}"]
    if functions:
        sections.append(f"{title('Functions')}\n{table((each.command, each.short) for each in functions)}")
    if arguments:
        sections.append(f"{title('Arguments')}\n{flag_table(_required_first(arguments))}")
    if at_root:
        sections.append(f"{title('Options')}\n{flag_table([_option(*each) for each in CALL_FLAGS if each[3]])}")
        sections.append(f"{title('Inherited Options')}\n{global_options()}")
    if functions:
        sections.append(f'Use "{chain.command} [command] --help" for more information about a command.')
    return "\n\n".join(sections) + "\n"


def broken_help(command: str) -> str:
    """What can be said when no module could be loaded."""
    options = flag_table([_option(*each) for each in CALL_FLAGS if each[3]])
    return (
        f"{CALL_SUMMARY}\n\n{title('Usage')}\n  {command} [options]\n\n"
        f"{title('Options')}\n{options}\n\n{title('Inherited Options')}\n{global_options()}\n"
    )


def global_options() -> str:
    """The options of every verb that have an effect here."""
    return flag_table([_option(*each) for each in GLOBAL_FLAGS if each[3]])


def title(text: str) -> str:
    text = text.upper()
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text


def table(rows: object) -> str:
    """Names and first lines of descriptions, wrapped to the terminal."""
    listed = sorted(rows)  # type: ignore[call-overload]
    width = max([11, *(len(name) for name, _ in listed)])
    lines = []
    for name, short in listed:
        wrapped = textwrap.wrap(first_line(short), max(20, view_width() - width - 5)) or ["-"]
        lines.append(f"  {name:<{width}}   {wrapped[0]}")
        lines.extend(" " * (width + 5) + more for more in wrapped[1:])
    return "\n".join(lines)


def flag_table(flags: list[Flag]) -> str:
    """Flags with their kind, usage and default, aligned and wrapped."""
    rows = []
    for flag in flags:
        kind, usage = _unquoted(flag)
        head = f"  -{flag.shorthand}, --{flag.name}" if flag.shorthand else f"      --{flag.name}"
        rows.append((f"{head} {kind}".rstrip(), _with_notes(flag, usage)))
    width = max(len(head) for head, _ in rows) + 3
    return "\n".join(f"{head:<{width}}{_wrapped(width, view_width(), usage)}".rstrip() for head, usage in rows)


def view_width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns - 1
    except (OSError, ValueError):
        return 79


def _option(name: str, short: str, kind: str, usage: str, default: str = "") -> Flag:
    from sealane.cli.chain import KINDS

    return Flag(name, KINDS[kind], usage=usage, shorthand=short, default=default)


def _required_first(flags: list[Flag]) -> list[Flag]:
    return sorted(flags, key=lambda flag: (not flag.required, flag.name))


def _unquoted(flag: Flag) -> tuple[str, str]:
    """A word in backquotes in the usage text is the flag's kind."""
    found = re.search(r"`([^`]*)`", flag.usage)
    if found is None:
        return flag.kind.name, flag.usage
    return found[1], flag.usage.replace(found[0], found[1], 1)


def _with_notes(flag: Flag, usage: str) -> str:
    if flag.default:
        usage = f"{usage} (default {flag.default})"
    return f"{usage} [required]".strip() if flag.required else usage.strip()


def _wrapped(indent: int, width: int, text: str) -> str:
    room = width - indent
    before = ""
    if room < 24:  # too narrow beside the flag: as a block below it
        indent, before = 16, "\n" + " " * 16
        room = width - indent
    joint = "\n" + " " * indent
    if room < 24:
        return before + text.replace("\n", joint)
    lines = [piece for line in text.split("\n") for piece in _pieces(line, room)]
    return before + joint.join(lines)


def _pieces(line: str, room: int) -> list[str]:
    """Break a line at spaces within `room`, five columns less where more follows."""
    pieces = []
    while len(line) > room:
        cut = max(line.rfind(" ", 0, room - 5), line.rfind("\t", 0, room - 5))
        if cut <= 0:
            break
        pieces.append(line[:cut])
        line = line[cut + 1 :]
    return [*pieces, line]


def two_columns(left: str, right: str, rows: list[tuple[str, str]]) -> str:
    """A table with a bold heading and three spaces between its columns."""
    width = max([len(left), *(len(name) for name, _ in rows)]) + 3
    bold = sys.stdout.isatty()
    heads = [f"\x1b[1m{head}\x1b[0m" if bold else head for head in (left, right)]
    lines = [f"{heads[0]}{' ' * (width - len(left))}{heads[1]}"]
    lines += [f"{name:<{width}}{text}" for name, text in rows]
    return "\n".join(lines) + "\n"
