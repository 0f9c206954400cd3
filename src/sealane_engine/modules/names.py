"""Names as Dagger writes them: kebab-case on the command line, camelCase in the schema.

Digits are a case of their own: `sha256` is `sha-256` on the command line, as with Dagger.
"""

from __future__ import annotations

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^A-Za-z0-9_.\s-]+")
_JOINTS = re.compile(r"[_.\s-]+")


def kebab(name: str) -> str:
    """`pythonVersion`, `python_version` or `PythonVersion` → `python-version`."""
    return "-".join(word.lower() for word in _WORDS.findall(name))


def camel(name: str) -> str:
    """`python_version` → `PythonVersion`; letters after a digit or a joint are capitals."""
    parts = [part for part in _JOINTS.split(name) if part]
    joined = "".join(part[0].upper() + part[1:] for part in parts)
    return re.sub(r"([0-9])([a-z])", lambda match: match[1] + match[2].upper(), joined)


def lower_camel(name: str) -> str:
    """`python_version` → `pythonVersion`."""
    name = camel(name)
    return name[:1].lower() + name[1:]
