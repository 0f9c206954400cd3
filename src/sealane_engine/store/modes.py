"""Permission bits by what chmod takes: octal, or symbolic (`+x`, `u=rwX,go=rX`, `g=u`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_ACTION = re.compile(r"([-+=])([rwxXst]*|[ugo])(?=[-+=]|$)")
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_SPECIAL = {"u": 0o4000, "g": 0o2000, "o": 0o1000}
_BITS = {"r": 4, "w": 2, "x": 1}
MAX_MODE = 0o7777


@dataclass(frozen=True, slots=True)
class ModeChange:
    """A symbolic mode: what it makes of a file's bits depends on what they are, and on whether it is a directory."""

    text: str

    def apply(self, mode: int, *, is_dir: bool) -> int:
        for clause in self.text.split(","):
            found = _CLAUSE.fullmatch(clause)
            assert found is not None  # as `parse_mode` saw to
            who = "ugo" if not found[1] or "a" in found[1] else found[1]
            for sign, what in _ACTION.findall(found[2]):
                mode = _changed(mode, who, sign, what, is_dir=is_dir)
        return mode


Mode = int | ModeChange | None
"""None: as it is."""


def parse_mode(text: str) -> Mode:
    """Read a mode. Raises ValueError."""
    if re.fullmatch(r"[0-7]+", text):
        mode = int(text, 8)
        if mode > MAX_MODE:
            raise ValueError(text)
        return mode
    if not all(_CLAUSE.fullmatch(clause) for clause in text.split(",")):
        raise ValueError(text)
    return ModeChange(text)


def given(mode: Mode, bits: int, *, is_dir: bool) -> int:
    """The bits that a file with `bits` gets."""
    if isinstance(mode, ModeChange):
        return mode.apply(bits, is_dir=is_dir)
    return bits if mode is None else mode


def _changed(mode: int, who: str, sign: str, what: str, *, is_dir: bool) -> int:
    wanted = _wanted(mode, who, what, is_dir=is_dir)
    if sign == "+":
        return mode | wanted
    if sign == "-":
        return mode & ~wanted
    cleared = sum(7 << _SHIFTS[each] | (0 if is_dir else _SPECIAL[each]) for each in set(who))
    return mode & ~cleared | wanted


def _wanted(mode: int, who: str, what: str, *, is_dir: bool) -> int:
    bits = special = 0
    if what in _SHIFTS:
        bits = mode >> _SHIFTS[what] & 7
    for letter in what:
        if letter == "X":
            bits |= 1 if is_dir or mode & 0o111 else 0
        elif letter == "s":
            special |= sum(_SPECIAL[each] for each in set(who) & {"u", "g"})
        elif letter == "t":
            special |= _SPECIAL["o"]
        elif letter in _BITS:
            bits |= _BITS[letter]
    return special | sum(bits << _SHIFTS[each] for each in set(who))
