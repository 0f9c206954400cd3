"""GraphQL tokens by one regular expression, without recursion, and the text of strings."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from sealane_engine.protocol.failures import DocumentError

TOKEN_LIMIT = 500_000

# Possessive quantifiers: an unterminated string of megabytes fails at once instead of backtracking.
TOKEN = re.compile(
    r"""
    (?: [ \t\r\n,\ufeff]++ | \#[^\r\n]*+ )*+
    (?:
      (?P<name> [_A-Za-z][_0-9A-Za-z]*+ )
    | (?P<punct> \.\.\. | [!$&()*:=@\[\]{|}] )
    | (?P<block> \"{3} (?: [^"\\]++ | \\\"{3} | \\ | "(?!"") )*+ \"{3} )
    | (?P<string> " (?: [^"\\\r\n]++ | \\. )*+ " )
    | (?P<float> -?(?:0|[1-9][0-9]*+) (?: \.[0-9]++(?:[eE][+-]?[0-9]++)? | [eE][+-]?[0-9]++ ) (?![.\w]) )
    | (?P<int> -?(?:0|[1-9][0-9]*+) (?![.\w]) )
    | (?P<end> \Z )
    )
    """,
    re.VERBOSE,
)
ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})(?:\\u([0-9A-Fa-f]{4}))?|(.?))", re.DOTALL)
SIMPLE = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
INT_DIGITS = 20


class Token(NamedTuple):
    """`kind` is the punctuator itself, or name, string, block, int, float, end."""

    kind: str
    text: str
    position: int


def tokens(source: str) -> list[Token]:
    """All tokens of a document, the last one of kind `end`."""
    found: list[Token] = []
    append, match = found.append, TOKEN.match
    position = 0
    while True:
        matched = match(source, position)
        if matched is None:
            raise unexpected_text(source, position)
        kind = matched.lastgroup or ""
        text = matched[kind]
        position = matched.end()
        append(Token(text if kind == "punct" else kind, text, position - len(text)))
        if kind == "end":
            return found
        if len(found) > TOKEN_LIMIT:
            raise DocumentError(f"the document has more than {TOKEN_LIMIT:,} tokens", reason="document-too-large")


def unexpected_text(source: str, position: int) -> DocumentError:
    skipped = re.compile(r"(?:[ \t\r\n,\ufeff]++|#[^\r\n]*+)*+").match(source, position)
    position = skipped.end() if skipped else position
    if source[position] == '"':
        return DocumentError("a string isn't terminated", position=position, reason="syntax")
    return DocumentError(
        f"syntax error: {source[position : position + 20]!r} is not GraphQL", position=position, reason="syntax"
    )


def string_text(token: Token) -> str:
    """What a string token means."""
    if token.kind == "block":
        return block_text(token.text[3:-3].replace('\\"""', '"""'))
    text = token.text[1:-1]
    if "\\" not in text:
        return text
    if "\\u" not in text:
        try:
            return str(json.loads(token.text, strict=False))  # the same escapes, and much faster
        except ValueError:
            pass  # told below, with the position
    return ESCAPE.sub(lambda m: unescape(m, token.position), text)


def unescape(match: re.Match[str], position: int) -> str:
    braced, first, second, simple = match.groups()
    if simple is not None:
        if simple not in SIMPLE:
            raise DocumentError(f"\\{simple} is not an escape of GraphQL strings", position=position, reason="syntax")
        return SIMPLE[simple]
    if braced is not None:
        code = int(braced, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise DocumentError(f"\\u{{{braced}}} is not a character", position=position, reason="syntax")
        return chr(code)
    high = int(first, 16)
    if second is None:
        if 0xD800 <= high <= 0xDFFF:
            raise DocumentError(f"\\u{first} is half of a surrogate pair", position=position, reason="syntax")
        return chr(high)
    low = int(second, 16)
    if 0xD800 <= high <= 0xDBFF and 0xDC00 <= low <= 0xDFFF:
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    if 0xD800 <= high <= 0xDFFF or 0xDC00 <= low <= 0xDFFF:
        raise DocumentError(f"\\u{first}\\u{second} is not a surrogate pair", position=position, reason="syntax")
    return chr(high) + chr(low)


def block_text(raw: str) -> str:
    """A block string without its common indentation and its blank first and last lines."""
    lines = re.split(r"\r\n|[\n\r]", raw)
    indents = [len(line) - len(line.lstrip(" \t")) for line in lines[1:] if line.strip(" \t")]
    common = min(indents, default=0)
    lines = [lines[0], *(line[common:] for line in lines[1:])]
    while lines and not lines[0].strip(" \t"):
        lines.pop(0)
    while lines and not lines[-1].strip(" \t"):
        lines.pop()
    return "\n".join(lines)
