"""Which Python a project runs on when its configuration doesn't say: the usual one, else the nearest that it allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from sealane.stages import declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# After the default: newest Debian's, which can be had without a registry, then what else is kept, newest first.
_OTHERS = ("3.13", "3.12", "3.14", "3.10", "3.9")
_IN_A_PROGRAM = re.compile(r"python_requires\s*=\s*[\"']([^\"']+)[\"']")


def requires(pyproject: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """What the project asks of its Python, as PEP 440 has it (`>=3.12`); empty when it asks for nothing readable."""
    said = declared.table(pyproject, "project").get("requires-python")
    if said is None:
        poetry = declared.table(pyproject, "tool", "poetry", "dependencies").get("python")
        said = declared.of_poetry("", poetry) if poetry else None
    if said is None:
        said = declared.ini(texts.get("setup.cfg", "")).get("options", "python_requires", fallback=None)
    if said is None and (found := _IN_A_PROGRAM.search(texts.get("setup.py", ""))):
        said = found[1]
    return said if isinstance(said, str) else ""


def chosen(default: str, required: str) -> str:
    """The default where the project allows it; else the first that it does. What can't be read forbids nothing."""
    return next(iter(allowed((default, *_OTHERS), required)), default)


def allowed(versions: Iterable[str], required: str) -> list[str]:
    """Those that a requirement allows. A bound on a patch release (`>=3.11.4`) is met by the newest of its minor version."""
    try:
        specifiers = SpecifierSet(required)
    except InvalidSpecifier:
        return list(versions)
    return [one for one in versions if specifiers.contains(f"{one}.99")]
