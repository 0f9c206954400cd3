"""Path patterns as docker's patternmatcher reads them: `*` and `?` stay within a name, `**` crosses slashes."""

from __future__ import annotations

import functools
import posixpath
import re

from sealane_engine.errors import InvalidInput

_ESCAPED = frozenset(".+()|{}$")
_WILD = frozenset("*[]?^\\")


class Pattern:
    """One pattern, cleaned: `./d/` is `d`. `negated` says that it began with `!`."""

    __slots__ = ("_kind", "_regex", "negated", "text")

    def __init__(self, text: str) -> None:
        cleaned = clean_pattern(text)
        self.negated = cleaned.startswith("!")
        if self.negated:
            cleaned = cleaned[1:]
            if not cleaned:
                raise InvalidInput('illegal exclusion pattern: "!"', reason="bad-pattern", hint="name a path after !")
        self.text = cleaned
        self._kind, self._regex = _compile(cleaned)

    def matches(self, path: str) -> bool:
        """Whether a relative path, as a whole, is meant."""
        if self._kind == "exact":
            return path == self.text
        if self._kind == "prefix":
            return path.startswith(self.text[:-2])
        if self._kind == "suffix":
            suffix = self.text[2:]
            return path.endswith(suffix) or (suffix.startswith("/") and path == suffix[1:])
        assert self._regex is not None
        return self._regex.fullmatch(path) is not None

    @property
    def stem(self) -> str:
        """The pattern without a `/**` or `/*` at its end."""
        return self.text.removesuffix("/**").removesuffix("/*")

    @property
    def is_prefix(self) -> bool:
        """Whether the stem is plain text, so that only what is at, above or below it can match."""
        return not _WILD.intersection(self.stem)

    def may_match_below(self, directory: str) -> bool:
        """Whether something below a directory could match."""
        return not self.is_prefix or f"{self.stem}/".startswith(f"{directory}/")


def clean_pattern(text: str) -> str:
    cleaned = posixpath.normpath(text.strip())
    return cleaned[1:] if cleaned.startswith("//") else cleaned


@functools.lru_cache(maxsize=512)
def _compile(text: str) -> tuple[str, re.Pattern[str] | None]:
    kind = "exact"
    out: list[str] = []
    position = 0
    first = True
    while position < len(text):
        char = text[position]
        position += 1
        if char == "*" and text[position : position + 1] == "*":
            position += 1
            if text[position : position + 1] == "/":
                position += 1
            if position < len(text):
                out.append("(.*/)?")
                kind = "regex"
            elif kind == "exact":
                kind = "prefix"
            else:
                out.append(".*")
                kind = "regex"
            if first:
                kind = "suffix"
        elif char in "*?":
            out.append("[^/]*" if char == "*" else "[^/]")
            kind = "regex"
        elif char == "[":
            end = _class_end(text, position)
            out.append(_class(text[position:end], text))
            position = end + 1
            kind = "regex"
        elif char == "\\":
            if position == len(text):
                raise _syntax(text)
            out.append(re.escape(text[position]))
            position += 1
            kind = "regex"
        else:
            out.append("\\" + char if char in _ESCAPED else re.escape(char))
        first = False
    return kind, re.compile("".join(out)) if kind == "regex" else None


def _class_end(text: str, start: int) -> int:
    """Where the bracket that closes a character class is; a first `]` closes nothing, an escaped one neither."""
    position = start + 1 if text[start : start + 1] == "^" else start
    begin = position
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == "]" and position > begin:
            return position
        position += 1
    raise _syntax(text)


def _class(inner: str, text: str) -> str:
    """A character class: ranges and escapes; what Python's regular expressions would read otherwise is escaped."""
    negated = inner.startswith("^")
    out = []
    chars = iter(inner[1:] if negated else inner)
    for char in chars:
        if char == "\\":
            out.append(re.escape(next(chars, "\\")))
        else:
            out.append(char if char.isalnum() or char == "-" else re.escape(char))
    try:
        compiled = f"[{'^' if negated else ''}{''.join(out)}]"
        re.compile(compiled)
    except re.error:
        raise _syntax(text) from None
    return compiled


def _syntax(text: str) -> InvalidInput:
    return InvalidInput(
        f"pattern {text!r}: syntax error in pattern",
        reason="bad-pattern",
        hint="close each [ with a ], and put something after each \\",
    )


def component(pattern: str, name: str) -> bool:
    """Whether one name matches one pattern without slashes (`*`, `?`, `[…]`, escapes); a broken pattern matches nothing."""
    compiled = _component(pattern)
    return compiled is not None and compiled.fullmatch(name) is not None


@functools.lru_cache(maxsize=1024)
def _component(pattern: str) -> re.Pattern[str] | None:
    # Two stars are one here: crossing slashes has no meaning within a name.
    text = re.sub(r"\*+", "*", pattern)
    try:
        kind, compiled = _compile(text)
    except InvalidInput:
        return None
    return compiled if kind == "regex" else re.compile(re.escape(text))
