"""A schema written as SDL: for reading and for tests; the engine itself never parses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sealane_engine.protocol.schema import BUILT_IN_SCALARS

if TYPE_CHECKING:
    from sealane_engine.protocol.schema import Schema

Entry = dict[str, Any]


def print_schema(schema: Schema) -> str:
    """Types and directives, sorted, without descriptions."""
    parts = [
        f"directive @{name}{arguments(entry['a'])} on {' | '.join(entry['l'])}\n"
        for name, entry in sorted(schema.table["directives"].items())
    ]
    parts += [print_type(name, entry) for name, entry in sorted(schema.types.items()) if name not in BUILT_IN_SCALARS]
    return "\n".join(parts)


def print_type(name: str, entry: Entry) -> str:
    if entry["k"] == "SCALAR":
        return f"scalar {name}\n"
    if entry["k"] == "ENUM":
        return block(f"enum {name}", [f"{value}{marks(applied)}" for value, applied in entry["v"].items()])
    if entry["k"] == "INPUT_OBJECT":
        return block(f"input {name}", [argument(key, value) for key, value in entry["n"].items()])
    interfaces = f" implements {' & '.join(entry['i'])}" if entry["i"] else ""
    lines = [
        f"{key}{arguments(value.get('a', {}))}: {value['t']}{marks(value.get('m', ()))}"
        for key, value in sorted(entry["f"].items())
    ]
    return block(f"{'interface' if entry['k'] == 'INTERFACE' else 'type'} {name}{interfaces}", lines)


def block(head: str, lines: list[str]) -> str:
    return "\n".join((f"{head} {{", *(f"  {line}" for line in lines), "}\n"))


def arguments(args: Entry) -> str:
    return f"({', '.join(argument(name, entry) for name, entry in args.items())})" if args else ""


def argument(name: str, entry: Entry) -> str:
    default = f" = {entry['d']}" if "d" in entry else ""
    return f"{name}: {entry['t']}{default}{marks(entry.get('m', ()))}"


def marks(applied: Any) -> str:
    text = ""
    for name, args in applied:
        inside = ", ".join(f"{key}: {value}" for key, value in args.items())
        text += f" @{name}({inside})" if inside else f" @{name}"
    return text
