"""A chain of functions as words say it: `--source . build --level HIGH file --path x`, read against the session's types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sealane.cli.flags import Flag, FlagSet, Kind, flag_of
from sealane.cli.head import CALL_FLAGS
from sealane.cli.options import GLOBAL_FLAGS
from sealane.cli.schema import Argument, Function, Ref, Type, Types
from sealane.errors import UsageError

_BOOL = Kind("", lambda text: text.lower() in ("1", "t", "true"), boolean=True)
_STRING = Kind("string", str, quoted=True)
FIX = "--fix"
_COUNT = Kind("count", lambda text: text, boolean=True)
KINDS = {"bool": _BOOL, "string": _STRING, "count": _COUNT}


@dataclass(frozen=True, slots=True)
class Given:
    """An argument that the words gave, with its text as the flag's kind read it."""

    argument: Argument
    kind: Kind
    value: Any


@dataclass(frozen=True, slots=True)
class Link:
    """One function of the chain with its arguments."""

    function: Function
    given: tuple[Given, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """What to call. `command` is the words as a usage line says them; `flags` are those of its last function."""

    command: str
    links: tuple[Link, ...]
    returns: Ref
    owner: Type | None
    flags: tuple[Flag, ...]
    function: Function | None = None
    output: str = ""
    json: bool = False

    @property
    def leaf(self) -> Link | None:
        return self.links[-1] if self.links and self.function is not None else None


def read(types: Types, words: Iterable[str], *, command: str, help_wanted: bool) -> Chain:
    """Read the words of a call. With `help_wanted`, missing arguments are no error."""
    rest = list(words)
    constructor = types.root.function("with")
    flags, rest = _read_flags(types, constructor, rest, command)
    links: list[Link] = []
    if constructor is not None and any(flag.changed for flag in flags.flags.values() if flag.argument):
        links.append(Link(constructor, _given(flags)))
    owner: Type | None = types.root
    returns = Ref("Query", optional=False)
    function: Function | None = None
    shared = _shared(flags, {})
    root, root_flags = command, flags
    while rest and owner is not None:
        supported, _ = types.supported(owner)
        found = next((each for each in supported if each.command == rest[0]), None)
        if found is None:
            break
        command = f"{command} {found.command}"
        flags, rest = _read_flags(types, found, _spelled_out(types, found, rest[1:]), command)
        shared = _shared(flags, shared)
        if not help_wanted:
            _require(flags, command)
        links.append(Link(found, _given(flags)))
        function, returns, owner = found, found.returns, types.provider(found.returns)
    if rest:
        raise UsageError(f'unknown command "{rest[0]}" for "{command}"', command=command, reason="unknown-command")
    if function is not None and not help_wanted:
        _require(root_flags, root)
    return Chain(
        command,
        tuple(links),
        returns,
        owner,
        tuple(flag for flag in flags.flags.values() if flag.argument or function is None),
        function=function,
        output=shared.get("output", ""),
        json=shared.get("json", False),
    )


def _spelled_out(types: Types, function: Function, words: list[str]) -> list[str]:
    """`lint --fix` as `lint fix`: a flag can't change what a function answers, so it is short for what answers that.

    It is so for every function without an argument of that name that answers an object with a function `fix`.
    """
    answers = types.provider(function.returns)
    if FIX not in words or answers is None or answers.function("fix") is None:
        return words
    if any(argument.flag == "fix" for argument in function.args):
        return words
    position = words.index(FIX)
    return [*words[:position], "fix", *words[position + 1 :]]


def _read_flags(types: Types, function: Function | None, words: list[str], command: str) -> tuple[FlagSet, list[str]]:
    flags = FlagSet()
    for name, short, kind, usage in CALL_FLAGS:
        flags.add(Flag(name, KINDS[kind], usage=usage, shorthand=short))
    for name, short, kind, _, _ in GLOBAL_FLAGS:
        flags.add(Flag(name, KINDS[kind], shorthand=short, group="Inherited Options"))
    for argument in function.args if function else ():
        flag = flag_of(types, argument)
        if flag is not None:
            flags.add(flag)
    try:
        return flags, flags.read(words)
    except UsageError as error:
        raise UsageError(error.message, command=command, reason=error.reason) from None


def _given(flags: FlagSet) -> tuple[Given, ...]:
    return tuple(
        Given(flag.argument, flag.kind, flag.value)
        for flag in flags.flags.values()
        if flag.argument is not None and flag.changed
    )


def _require(flags: FlagSet, command: str) -> None:
    missing = [flag.name for flag in flags.flags.values() if flag.required and not flag.changed]
    if missing:
        names = '", "'.join(missing)
        raise UsageError(f'required flag(s) "{names}" not set', command=command, reason="required-flag")


def _shared(flags: FlagSet, before: dict[str, Any]) -> dict[str, Any]:
    """-o and -j hold from where they stand."""
    found = dict(before)
    for name in ("output", "json"):
        flag = flags.flags.get(name)
        if flag is not None and flag.argument is None and flag.changed:
            found[name] = flag.value
    return found
