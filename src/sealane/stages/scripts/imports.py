"""What each Python file of a tree names that may be a module: prints JSON, file → names. Runs in a container."""

from __future__ import annotations

import ast
import json
import re
import sys
import warnings
from pathlib import Path

# Who uses one of these may load anything.
_DYNAMIC = frozenset(
    {"__import__", "import_module", "iter_modules", "pkgutil", "run_module", "run_path", "spec_from_file_location",
     "walk_packages"}
)  # fmt: skip
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_LONGEST = 2000  # characters of a string that is looked at
ANYTHING, COMMAND = "*", "!"


def names(text: str, path: str) -> list[str] | None:
    """The modules that a file may load, by import or by name in a string; None when it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    found: set[str] = set()
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in prose:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                found |= _prefixes(alias.name)
                found |= {ANYTHING} if alias.name in _DYNAMIC else set()
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, path)
            found |= _prefixes(module)
            found |= {f"{module}.{alias.name}" if module else alias.name for alias in node.names}
            found |= {ANYTHING} if _DYNAMIC & {alias.name for alias in node.names} else set()
        elif isinstance(node, ast.Name):
            found |= {ANYTHING} if node.id in _DYNAMIC else set()
        elif isinstance(node, ast.Attribute):
            found |= {ANYTHING} if node.attr in _DYNAMIC else set()
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= _LONGEST:
            found |= _said(node.value)
    return sorted(found)


def _prefixes(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[: number + 1]) for number in range(len(parts)) if name}


def _absolute(node: ast.ImportFrom, path: str) -> str:
    """From the tree's root, where a relative import leads."""
    if not node.level:
        return node.module or ""
    folders = path.split("/")[:-1]
    above = folders[: len(folders) - (node.level - 1)]
    return ".".join([*above, *filter(None, [node.module])])


def _said(text: str) -> set[str]:
    """Modules, their members, files and commands that a string names: what is patched, started or configured.

    Of several words only those that can't be prose; the first may be a command, which `!` marks.
    """
    words = text.split()
    found = {f"{COMMAND}{word}" for word in words[:1]}
    for before, word in zip(["", *words], words):  # noqa: B905 - Python 3.9 knows no `strict`
        if len(words) > 1 and "." not in word and before != "-m":
            continue
        name = word[:-3].strip("./").replace("/", ".") if word.endswith(".py") else word.partition(":")[0]
        if _MODULE.fullmatch(name):
            found |= _prefixes(name)
    return found


def main(root: str, listed: str) -> None:
    """`ROOT LIST`: the files to look at are named in a file of their own, one a line."""
    told: dict[str, list[str] | None] = {}
    for name in Path(listed).read_text(encoding="utf-8").splitlines():
        try:
            told[name] = names(Path(root, name).read_text(encoding="utf-8"), name)
        except (OSError, UnicodeDecodeError):
            told[name] = None
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:3])
