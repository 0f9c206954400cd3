"""Flags of a function's arguments: which kinds there are, how their text is read, how help shows them.

The kinds, their value syntax and the words of their errors are those of Dagger's command line (Go's pflag).
"""

from __future__ import annotations

import csv
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sealane.cli.schema import Argument, Ref, Types
from sealane.errors import UsageError
from sealane_engine.modules.names import kebab

OBJECTS = frozenset(
    [
        "Container",
        "Directory",
        "File",
        "Secret",
        "Service",
        "CacheVolume",
        "ModuleSource",
        "Module",
        "Socket",
        "GitRepository",
        "GitRef",
    ]
)
_IN_LISTS = OBJECTS - {"GitRepository", "GitRef"}
_SPECIAL = {"Platform": "Platform", "PortForward": "PortForward", "BuildArg": "BuildArg"}
_GO_BOOL = {**dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True)} | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)


class BadValue(ValueError):
    """A flag's text can't be read; the message is the part after the last colon."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one flag is read. `parse` gives the values of one occurrence; a `repeated` flag appends them."""

    name: str  # what help shows: string, int, strings, Directory, HIGH,LOW; empty for a boolean
    parse: Callable[[str], Any]
    repeated: bool = False
    object: str = ""  # the type of the object that the session makes of each text
    boolean: bool = False
    quoted: bool = False  # help quotes the default


@dataclass(slots=True)
class Flag:
    """One flag of the command being read."""

    name: str
    kind: Kind
    usage: str = ""
    default: str = ""  # as help shows it
    shorthand: str = ""
    required: bool = False
    group: str = "Options"
    argument: Argument | None = None
    value: Any = None
    changed: bool = False

    def set(self, text: str) -> None:
        try:
            value = self.kind.parse(text)
        except BadValue as error:
            shown = f"-{self.shorthand}, --{self.name}" if self.shorthand else f"--{self.name}"
            raise UsageError(
                f'invalid argument {_go_quote(text)} for "{shown}" flag: {error}', reason="invalid-argument"
            ) from None
        if self.kind.repeated and self.changed:
            self.value = [*self.value, *value]
        else:
            self.value = value
        self.changed = True


@dataclass(slots=True)
class FlagSet:
    """The flags known at one point of the chain, those of the function and those that stay valid all along."""

    flags: dict[str, Flag] = field(default_factory=dict)

    def add(self, flag: Flag) -> None:
        self.flags[flag.name] = flag

    def read(self, words: list[str]) -> list[str]:
        """Set flags from the head of `words`; answers the words from the first that isn't a flag."""
        while words:
            if words[0] == "--":
                return words[1:]
            taken = self._take(words)
            if not taken:
                break
            words = words[taken:]
        return words

    def read_among(self, words: list[str]) -> list[str]:
        """Set flags wherever they stand before a `--`; answers the other words."""
        others: list[str] = []
        while words:
            if words[0] == "--":
                return others + words[1:]
            taken = self._take(words)
            if not taken:
                others.append(words[0])
            words = words[taken or 1 :]
        return others

    def _take(self, words: list[str]) -> int:
        """Set the flag that `words` begin with; how many words it is, 0 if they begin with something else."""
        word, rest = words[0], words[1:]
        if len(word) < 2 or word[0] != "-":
            return 0
        return 1 + (self._long(word, rest) if word.startswith("--") else self._short(word, rest))

    def _long(self, word: str, rest: list[str]) -> int:
        name, equals, text = word[2:].partition("=")
        if not name or name[0] in "-=":
            raise UsageError(f"bad flag syntax: {word}", reason="bad-flag-syntax")
        flag = self.flags.get(kebab(name)) or self.flags.get(name)
        if flag is None:
            raise UsageError(f"unknown flag: --{kebab(name) or name}", reason="unknown-flag")
        if equals:
            flag.set(text)
            return 0
        if flag.kind.boolean:
            flag.set("true")
            return 0
        if not rest:
            raise UsageError(f"flag needs an argument: --{flag.name}", reason="flag-needs-argument")
        flag.set(rest[0])
        return 1

    def _short(self, word: str, rest: list[str]) -> int:
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            flag = next((each for each in self.flags.values() if each.shorthand == letter), None)
            if flag is None:
                raise UsageError(f"unknown shorthand flag: '{letter}' in {word}", reason="unknown-flag")
            if letters.startswith("="):
                flag.set(letters[1:])
                return 0
            if flag.kind.boolean:
                flag.set("true")
                continue
            if letters:
                flag.set(letters)
                return 0
            if not rest:
                raise UsageError(f"flag needs an argument: '{letter}' in {word}", reason="flag-needs-argument")
            flag.set(rest[0])
            return 1
        return 0


def is_supported(types: Types, argument: Argument) -> bool:
    """Whether a flag can give this argument."""
    return kind_of(types, argument) is not None


def flag_of(types: Types, argument: Argument) -> Flag | None:
    """The flag of an argument; None when its type can't be given on a command line."""
    kind = kind_of(types, argument)
    if kind is None:
        return None
    return Flag(
        argument.flag,
        kind,
        usage=argument.description,
        default=_shown_default(kind, argument),
        required=argument.required,
        group="Arguments",
        argument=argument,
    )


def kind_of(types: Types, argument: Argument) -> Kind | None:
    """How an argument's flag is read, by the type of the argument."""
    found = types[argument.type]
    if found.element is not None:
        return _list_kind(types, found.element)
    if argument.flag == "id" and found.kind == "OBJECT_KIND" and found.is_core:
        return None
    return _single_kind(types, argument.type)


def _single_kind(types: Types, ref: Ref) -> Kind | None:
    found = types[ref]
    if found.kind in _PRIMITIVE:
        return _PRIMITIVE[found.kind]
    if found.name in _SPECIAL:
        return Kind(found.name, _SPECIAL_PARSERS[found.name])
    match found.kind:
        case "SCALAR_KIND":
            return _PRIMITIVE["STRING_KIND"]
        case "ENUM_KIND":
            return Kind(",".join(sorted(found.members)), _member_parser(found.members))
        case "OBJECT_KIND" if found.name in OBJECTS:
            return Kind(found.name, _text(found.name), object=found.name)
    return None


def _list_kind(types: Types, ref: Ref) -> Kind | None:
    found = types[ref]
    if found.kind in _PRIMITIVE:
        single = _PRIMITIVE[found.kind]
        parse = _LIST_ERRORS.get(found.kind, single.parse)
        return Kind(f"{single.name or 'bool'}s", lambda text: [parse(item) for item in _csv(text)], repeated=True)
    if found.kind == "SCALAR_KIND" and found.name not in _SPECIAL:
        return Kind("strings", _csv, repeated=True)
    if found.kind == "OBJECT_KIND" and found.name not in _IN_LISTS:
        return None
    single_kind = _single_kind(types, ref)
    if single_kind is None:
        return None

    def parse_items(text: str) -> list[Any]:
        return [single_kind.parse(item.strip()) for item in _csv(re.sub("[\"'`]", "", text))]

    return Kind(f"[]{single_kind.name}", parse_items, repeated=True, object=single_kind.object)


def _csv(text: str) -> list[str]:
    if not text:
        return []
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise BadValue(f"parse error: {error}") from None


def _integer(function: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            return int(text, 0) if function == "ParseInt" else int(text)
        except ValueError:
            raise BadValue(f"strconv.{function}: parsing {_go_quote(text)}: invalid syntax") from None

    return parse


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadValue(f"strconv.ParseFloat: parsing {_go_quote(text)}: invalid syntax") from None


def _bool(text: str) -> bool:
    try:
        return _GO_BOOL[text]
    except KeyError:
        raise BadValue(f"strconv.ParseBool: parsing {_go_quote(text)}: invalid syntax") from None


def _member_parser(members: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for member in members:
            if member.casefold() == text.casefold():
                return member
        raise BadValue(f"value should be one of {','.join(sorted(members))}")

    return parse


def _text(type_name: str) -> Callable[[str], str]:
    labels = {
        "CacheVolume": "cacheVolume name",
        "Module": "module ref",
        "ModuleSource": "module source ref",
    }

    def parse(text: str) -> str:
        if not text and type_name in labels:
            raise BadValue(f"{labels[type_name]} cannot be empty")
        return text

    return parse


def _platform(text: str) -> str:
    if not text:
        raise BadValue("platform cannot be empty")
    if text != "current":
        return text
    machine = platform.machine()
    return "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _port_forward(text: str) -> dict[str, int]:
    if not text:
        raise BadValue("portForward setting cannot be empty")
    frontend, colon, backend = text.partition(":")
    if not colon:
        raise BadValue(f"portForward setting not in the form of frontend:backend: {_go_quote(text)}")
    ports = {}
    for side, digits in (("frontend", frontend), ("backend", backend)):
        if not digits.isdecimal():
            raise BadValue(f"portForward {side} not a valid integer: {_go_quote(digits)}")
        ports[side] = int(digits)
    return ports


def _build_arg(text: str) -> dict[str, str]:
    name, equals, value = text.strip('"').partition("=")
    if not equals:
        raise BadValue(f"{text} must be formatted as name=value")
    if not name:
        raise BadValue(f"{text} cannot have an empty name")
    return {"name": name, "value": value}


_SPECIAL_PARSERS: dict[str, Callable[[str], Any]] = {
    "Platform": _platform,
    "PortForward": _port_forward,
    "BuildArg": _build_arg,
}

_PRIMITIVE = {
    "STRING_KIND": Kind("string", str, quoted=True),
    "INTEGER_KIND": Kind("int", _integer("ParseInt")),
    "FLOAT_KIND": Kind("float", _float),
    "BOOLEAN_KIND": Kind("", _bool, boolean=True),
}
_LIST_ERRORS: dict[str, Callable[[str], Any]] = {"INTEGER_KIND": _integer("Atoi")}


def _shown_default(kind: Kind, argument: Argument) -> str:
    """What help shows in `(default …)`; empty for a zero value."""
    value = argument.default_value()
    if kind.name in ("PortForward", "BuildArg") and value is None:
        return "0:0" if kind.name == "PortForward" else "="
    if kind.repeated:
        listed = not kind.name.startswith("[]")
        return "" if listed and not value else "[" + ",".join(_plain(item) for item in value or ()) + "]"
    if value in (None, "", 0, False):
        return ""
    return _go_quote(value) if kind.quoted and isinstance(value, str) else _plain(value)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _go_quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
