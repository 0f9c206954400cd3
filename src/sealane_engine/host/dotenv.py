"""An .env file: its lines as pairs, what the values come to, and the part of it that a prefix names.

Values are words of a shell: quotes are taken off, `$NAME` and `${NAME}` put in (not inside single quotes). A variable may
stand before or after those it is made of. Commands are never run. The rules are those of Dagger's `core/dotenv`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sealane_engine.api.values import Pairs
from sealane_engine.errors import InvalidInput
from sealane_engine.modules.names import kebab, lower_camel

_MAX_DEPTH = 100
_EXPORT = re.compile(r"export\s+")
_PLAIN = re.compile(r"(?:[^`\"'\\$]|\$(?![A-Za-z_{(]))*")
_PIECE = re.compile(
    r"'(?P<single>[^']*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\"|\\(?P<escaped>.)|\$(?P<name>\w+)|\$\{(?P<braced>\w+)\}"
    r"|(?P<space>\s+)|(?P<command>`|\$\(|\$\{)|(?P<text>[^\s'\"\\$`]+|[$'\"\\])",
    re.DOTALL,
)
_INSIDE = re.compile(
    r"\\(?P<escaped>[$`\"\\])|\$(?P<name>\w+)|\$\{(?P<braced>\w+)\}|(?P<command>`|\$\(|\$\{)|(?P<text>[^\\$`]+|[\\$])",
    re.DOTALL,
)
LookUp = Callable[[str], str]


def parse(text: str) -> Pairs:
    """Names with their values as they are written."""
    pairs: Pairs = ()
    for line in text.splitlines():
        name, _, rest = _EXPORT.sub("", line.strip(), count=1).partition("=")
        if line.strip():  # a comment is a name without a value, as with Dagger
            pairs = with_value(pairs, name, rest)
    return pairs


def with_value(pairs: Pairs, name: str, text: str) -> Pairs:
    """A value in the place of the one that the name had, or at the end."""
    if any(known == name for known, _ in pairs):
        return tuple((known, text if known == name else old) for known, old in pairs)
    return (*pairs, (name, text))


def values(raw: Pairs, context: Pairs = (), system: LookUp | None = None, *, strict: bool = False) -> Pairs:
    """The values, in the order of their lines.

    Names that aren't there are looked up in `context` (which is expanded, too), then by `system`. What isn't there at
    all is nothing, or with `strict` an error (`env-unset`).
    """
    reader = _Reader({**dict(context), **dict(raw)}, system, strict)
    return tuple((name, reader.value(name)) for name in dict(raw))


def value(raw: Pairs, name: str, context: Pairs = (), system: LookUp | None = None) -> str:
    """One value; "" if the name isn't there. What others need doesn't matter."""
    return _Reader({**dict(context), **dict(raw)}, system, True).value(name) if name in dict(raw) else ""


def unquoted(raw: Pairs) -> Pairs:
    """The values with nothing put in."""
    return tuple((name, _bare(text)) for name, text in dict(raw).items())


def namespaced(pairs: Pairs, prefix: str) -> Pairs:
    """What begins with a prefix, without it. `my-app` is `MY_APP_` and `MYAPP_`, in any case."""
    starts = (f"{lower_camel(prefix)}_", f"{kebab(prefix).replace('-', '_').rstrip('_')}_")
    found = []
    for name, text in pairs:
        start = next((each for each in starts if re.match(re.escape(each), name, re.IGNORECASE)), "")
        if start:
            found.append((name[len(start) :], text))
    return tuple(found)


class _Reader:
    """Puts variables into each other, each once."""

    def __init__(self, raw: dict[str, str], system: LookUp | None, strict: bool) -> None:
        self._raw = raw
        self._system = system
        self._strict = strict
        self._known: dict[str, str] = {}
        self._open: list[str] = []

    def value(self, name: str) -> str:
        if name not in self._known:
            if name in self._open or len(self._open) > _MAX_DEPTH:
                way = " -> ".join([*self._open[-8:], name])
                raise InvalidInput(
                    f"circular dependency detected: {way}", reason="env-circular", hint="give one of them a value"
                )
            self._open.append(name)
            self._known[name] = self._expanded(self._raw[name])
            self._open.pop()
        return self._known[name]

    def _expanded(self, text: str) -> str:
        text = text.strip()
        if text.startswith("#") or _PLAIN.fullmatch(text):
            return "" if text.startswith("#") else text
        return "".join(self._piece(piece) for piece in _PIECE.finditer(text)).strip()

    def _piece(self, piece: re.Match[str]) -> str:
        if piece["single"] is not None:
            return piece["single"]
        if piece["double"] is not None:
            return "".join(self._plain(inner) for inner in _INSIDE.finditer(piece["double"]))
        return " " if piece["space"] else self._plain(piece)

    def _plain(self, piece: re.Match[str]) -> str:
        if piece["command"]:
            raise InvalidInput(
                f"{piece.string!r} has a command or an operator in it",
                reason="env-syntax",
                hint="put single quotes around it",
            )
        name = piece["name"] or piece["braced"]
        return self._variable(name) if name else piece["escaped"] or piece["text"] or ""

    def _variable(self, name: str) -> str:
        found = self.value(name) if name in self._raw else self._system(name) if self._system else ""
        if not found and self._strict:
            raise InvalidInput(f"{name}: unbound variable", reason="env-unset", hint=f"set {name}, or take it out")
        return found


def _bare(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
