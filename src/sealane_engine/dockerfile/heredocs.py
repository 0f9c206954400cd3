"""Here-documents of RUN, COPY and ADD: where an instruction's words begin one, and what it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sealane_engine.dockerfile.instructions import Heredoc

# A word that begins one: `<<EOF`, `<<-EOF`, `3<<EOF`, the delimiter in quotes, in part or whole.
_BEGIN = re.compile(r"""(?<!\S)\d*<<(-?)((?:"[^"]*"|'[^']*'|\\.|[^\s<"'\\])+)(?!\S)""")
_QUOTES = re.compile(r"""["']|\\(.)""")


def is_alone(words: str) -> bool:
    """Whether the words are one here-document and nothing else."""
    return _BEGIN.fullmatch(words.strip()) is not None


def without(words: str) -> str:
    """The words that begin no here-document."""
    return _BEGIN.sub("", words)


def read(words: str, parsed: Iterable[Any]) -> tuple[Heredoc, ...]:
    """The documents of an instruction; the parser keeps neither `<<-` nor the quotes of a delimiter, the words do."""
    marks = {_QUOTES.sub(r"\1", found[2]): found for found in _BEGIN.finditer(words)}
    made = []
    for each in parsed:
        mark = marks.get(each.name)
        tabs_go, quoted = (mark[1] == "-", bool({"'", '"'} & set(mark[2]))) if mark else (False, False)
        content = re.sub(r"(?m)^\t+", "", each.content) if tabs_go else each.content
        made.append(Heredoc(each.name, content, not quoted))
    return tuple(made)
