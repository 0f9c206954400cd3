"""An .env file: its lines as pairs, what the values come to, and the part of it that a prefix names."""

from __future__ import annotations

import re

from sealane_engine.api.values import Pairs, expand
from sealane_engine.modules.names import kebab, lower_camel

_QUOTES = ("'", '"')


def parse(text: str) -> Pairs:
    """Names with their values as they are written."""
    pairs = []
    for line in text.splitlines():
        name, separator, rest = line.partition("=")
        name = name.strip().removeprefix("export ").strip()
        if line.strip():  # a comment is a name without a value, as with Dagger
            pairs.append((name, rest.strip() if separator else ""))
    return tuple(pairs)


def values(raw: Pairs, context: Pairs = ()) -> Pairs:
    """Quotes taken off; variables put in (not inside single quotes), those of the lines before and of `context`."""
    known: Pairs = ()
    for name, text in raw:
        bare = _bare(text)
        value = bare if text.startswith("'") and bare != text else expand(bare, (*context, *known))
        known = (*(pair for pair in known if pair[0] != name), (name, value))
    return known


def unquoted(raw: Pairs) -> Pairs:
    """The values with nothing put in."""
    return values(tuple((name, f"'{_bare(text)}'") for name, text in raw))


def namespaced(pairs: Pairs, prefix: str) -> Pairs:
    """What begins with a prefix, without it. `my-app` is `MY_APP_` and `MYAPP_`, in any case."""
    starts = (f"{lower_camel(prefix)}_", f"{kebab(prefix).replace('-', '_').rstrip('_')}_")
    found = []
    for name, text in pairs:
        start = next((each for each in starts if re.match(re.escape(each), name, re.IGNORECASE)), "")
        if start:
            found.append((name[len(start) :], text))
    return tuple(found)


def _bare(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES else text
