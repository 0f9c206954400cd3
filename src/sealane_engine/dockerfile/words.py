"""Words of a Dockerfile: quotes, escapes, and variables with their modifiers (`${X:-y}`, `${X##p}`, `${X/p/r}`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = re.compile(r"[@*#?$!-]|[0-9]+")


class WordError(ValueError):
    """A word can't be expanded; the message says why."""


def expand(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """One word: quotes and escapes are taken out, variables put in. An unset variable is empty."""
    return "".join(_Walker(text, variables, escape).words(split=False))


def expand_words(text: str, variables: Mapping[str, str], escape: str = "\\") -> list[str]:
    """As `expand`, but spaces outside quotes separate words, also those that a variable brings."""
    return _Walker(text, variables, escape).words(split=True)


def expand_document(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """A here-document: variables are put in, an escaped dollar is a dollar, all else stays."""
    return _Walker(text, variables, escape).document()


class _Walker:
    def __init__(self, text: str, variables: Mapping[str, str], escape: str) -> None:
        self._text, self._at = text, 0
        self._variables, self._escape = variables, escape

    def words(self, *, split: bool) -> list[str]:
        words: list[str] = []
        current: str | None = None
        while (char := self._peek()) is not None:
            self._at += 1
            if split and char.isspace():
                if current is not None:
                    words.append(current)
                current = None
            elif char == "'":
                current = (current or "") + self._until_quote()
            elif char == '"':
                current = (current or "") + self._double_quoted()
            elif char == "$":
                value = self._variable()
                if not split:
                    current = (current or "") + value
                    continue
                pieces = value.split()
                if value[:1].isspace() and current is not None:
                    words.append(current)
                    current = None
                for index, piece in enumerate(pieces):
                    current = (current or "") + piece
                    if index < len(pieces) - 1 or value[-1:].isspace():
                        words.append(current)
                        current = None
            elif char == self._escape:
                following = self._peek()
                if following is not None:
                    self._at += 1
                    current = (current or "") + following
            else:
                current = (current or "") + char
        return words if current is None else [*words, current]

    def document(self) -> str:
        out = ""
        while (char := self._peek()) is not None:
            self._at += 1
            if char == "$":
                out += self._variable()
            elif char == self._escape and self._peek() == "$":
                self._at += 1
                out += "$"
            else:
                out += char
        return out

    def _peek(self) -> str | None:
        return self._text[self._at] if self._at < len(self._text) else None

    def _until_quote(self) -> str:
        end = self._text.find("'", self._at)
        if end < 0:
            raise WordError("unexpected end of statement while looking for matching single-quote")
        inside, self._at = self._text[self._at : end], end + 1
        return inside

    def _double_quoted(self) -> str:
        out = ""
        while (char := self._peek()) is not None:
            self._at += 1
            if char == '"':
                return out
            if char == "$":
                out += self._variable()
            elif char == self._escape:
                following = self._peek()
                if following is None:
                    break
                self._at += 1
                out += following if following in ('"', "$", self._escape) else char + following
            else:
                out += char
        raise WordError("unexpected end of statement while looking for matching double-quote")

    def _variable(self) -> str:
        if self._peek() != "{":
            found = _NAME.match(self._text, self._at) or _SPECIAL.match(self._text, self._at)
            if found is None:
                return "$"
            self._at = found.end()
            return self._variables.get(found[0], "")
        self._at += 1
        found = _NAME.match(self._text, self._at) or _SPECIAL.match(self._text, self._at)
        if found is None:
            raise WordError("missing or unsupported variable name in ${…}")
        name, self._at = found[0], found.end()
        return self._modified(name)

    def _modified(self, name: str) -> str:
        value = self._variables.get(name)
        char = self._peek()
        if char == "}":
            self._at += 1
            return value or ""
        if char is None:
            raise WordError("missing } after a variable")
        self._at += 1
        colon = char == ":"
        if colon:
            char = self._peek() or ""
            self._at += 1
        if char in ("-", "+", "?"):
            return self._default(name, value, char, empty_counts=colon)
        if not colon and char in ("#", "%"):
            greedy = self._peek() == char
            self._at += greedy
            return strip(value or "", self._argument(), suffix=char == "%", greedy=greedy)
        if not colon and char == "/":
            everywhere = self._peek() == "/"
            self._at += everywhere
            pattern, _, new = self._argument().partition("/")
            return re.sub(_glob(pattern, greedy=True), lambda _: new, value or "", count=0 if everywhere else 1)
        raise WordError(f"unsupported modifier ({':' if colon else ''}{char}) in substitution")

    def _default(self, name: str, value: str | None, char: str, *, empty_counts: bool) -> str:
        word = self._argument()
        there = value is not None and not (empty_counts and value == "")
        if char == "+":
            return word if there else ""
        if there:
            return value or ""
        if char == "?":
            raise WordError(f"{name}: {word or 'parameter is not set'}")
        return word

    def _argument(self) -> str:
        """The text up to the closing brace, expanded."""
        begin, depth = self._at, 1
        while (char := self._peek()) is not None:
            self._at += 1
            if char == self._escape:
                self._at += 1
            elif char == "{" and self._text[self._at - 2] == "$":
                depth += 1
            elif char == "}":
                depth -= 1
                if depth == 0:
                    return expand(self._text[begin : self._at - 1], self._variables, self._escape)
        raise WordError("missing } after a variable")


def strip(value: str, pattern: str, *, suffix: bool, greedy: bool) -> str:
    """`value` without a prefix or suffix that matches a shell pattern, the longest or the shortest."""
    ends = range(len(value) + 1)
    if suffix:
        for start in ends if greedy else reversed(ends):
            if re.fullmatch(_glob(pattern, greedy=True), value[start:], re.DOTALL):
                return value[:start]
        return value
    for end in reversed(ends) if greedy else ends:
        if re.fullmatch(_glob(pattern, greedy=True), value[:end], re.DOTALL):
            return value[end:]
    return value


def _glob(pattern: str, *, greedy: bool) -> str:
    star = ".*" if greedy else ".*?"
    return "".join({"*": star, "?": "."}.get(char, re.escape(char)) for char in pattern)
