"""Makes printed text harmless: no vendor reads a command in it, no terminal a control sequence. For all vendors alike."""

from __future__ import annotations

import codecs
import re

# Longer lines are cut into several: what is never ended may not fill the memory.
LONGEST = 16 * 1024

# What terminals, and vendors' log viewers, take for control: CSI; strings (OSC, DCS, APC, PM, SOS) up to their end,
# their one-byte forms too; two-byte escapes.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"
)
# Control characters but the tab, line ends that aren't "\n", and what turns the direction of writing.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
# Where each is a command, a backslash is put: before it when it must stand first, else in its middle.
_COMMANDS = (
    (re.compile(r"^(\s*)(::)"), r"\1\\\2"),  # GitHub: ::set-output, ::add-mask, ::stop-commands, ::TOKEN::
    (re.compile(r"##(?=\[|vso\[|teamcity\[)", re.IGNORECASE), r"#\\#"),  # GitHub of old, Azure, TeamCity; anywhere
    (re.compile(r"section_(?=(?:start|end):)"), r"section\\_"),  # GitLab
    (re.compile(r"^(\s*)(---|\+\+\+|~~~|\^\^\^)"), r"\1\\\2"),  # Buildkite's groups
)


def neutral(line: str) -> str:
    """One line, without its end, as it may be printed: control sequences are left out, the rest stays readable."""
    line = _SEQUENCE.sub("", line)
    line = _CONTROL.sub(lambda found: _named(found[0]), line)
    for pattern, instead in _COMMANDS:
        line = pattern.sub(instead, line)
    return line


def _named(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class Neutral:
    """Turns a stream of bytes into whole neutral lines. `feed` gives those that are complete, `end` the last."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        text = self._rest + self._decoder.decode(data, final)
        # "\r\n" ends a line, and so does a "\r" alone, as of a progress bar; one at the end may be half of the former
        held = "\r" if text.endswith("\r") and not final else ""
        text = text.removesuffix(held).replace("\r\n", "\n").replace("\r", "\n")
        *lines, self._rest = text.split("\n")
        while len(self._rest) > LONGEST:
            lines.append(self._rest[:LONGEST])
            self._rest = self._rest[LONGEST:]
        self._rest += held
        return "".join(f"{neutral(part)}\n" for line in lines for part in _parts(line))

    def end(self) -> str:
        said = self.feed(b"", final=True)
        rest, self._rest = self._rest, ""
        return said + (f"{neutral(rest)}\n" if rest else "")


def _parts(line: str) -> list[str]:
    return [line[at : at + LONGEST] for at in range(0, len(line), LONGEST)] or [""]
