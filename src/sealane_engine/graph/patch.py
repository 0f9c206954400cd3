"""A unified diff on a tree: `git apply` in a scratch folder with the files that the diff names, and what it did there."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.errors import InvalidInput

if TYPE_CHECKING:
    from sealane_engine.graph.operation import Patch
    from sealane_engine.store.edit import Editor
    from sealane_engine.store.view import TreeView

_HEADERS = ("--- ", "+++ ", "rename from ", "rename to ", "copy from ", "copy to ")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_State = tuple[str, int, bytes] | None
"""What a name is: kind, mode, content (of a link: its target)."""


def apply_patch(edit: Editor, view: TreeView, action: Patch) -> None:
    """Make the changes of a diff below `action.at`. Raises InvalidInput (`patch-failed`) when git can't apply it."""
    names = sorted(set(_names(action.patch)))
    with tempfile.TemporaryDirectory(prefix="patch") as folder:
        scratch = Path(folder)
        for name in names:
            _take(view, action.at, name, scratch)
        before = {name: _state(scratch / name) for name in names}
        _git_apply(scratch, action.patch.encode(errors="surrogateescape"))
        after = {name: _state(scratch / name) for name in names}
    gone = {posixpath.join(action.at, name) for name, was in before.items() if was and not after[name]}
    for path in sorted(gone):
        edit.remove(path)
    _remove_empty(edit, view, action.at, gone)
    for name, now in after.items():
        was = before[name]
        if now is None or now == was:
            continue
        path = posixpath.join(action.at, name)
        kind, mode, data = now
        if was is not None:
            edit.remove(path)  # git makes the file anew, too: with a mode of its own, and root's
        if kind == "link":
            edit.symlink(os.fsdecode(data), path)
        else:
            edit.write(path, data, mode)


def _git_apply(scratch: Path, patch: bytes) -> None:
    done = subprocess.run(
        ["git", "apply", "--allow-empty", "-"],
        cwd=scratch,
        input=patch,
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(scratch.parent), "GIT_CONFIG_NOSYSTEM": "1"},
    )
    if done.returncode:
        raise InvalidInput(
            f"git apply: exit status {done.returncode}: {done.stderr.decode(errors='replace').strip()}",
            reason="patch-failed",
            hint="make the patch against the directory as it is",
        )


def _names(patch: str) -> Iterator[str]:
    """The paths in a diff's headers, without their first component. Lines of content may look alike: no harm is done."""
    for line in patch.split("\n"):
        if line.startswith("diff --git "):
            yield from _both(line.removeprefix("diff --git ").rstrip("\r"))
            continue
        header = next((each for each in _HEADERS if line.startswith(each)), None)
        if header is None:
            continue
        path = line.removeprefix(header).rstrip("\r")
        quoted = _QUOTED.match(path)
        path = _unquoted(quoted[1]) if quoted else path.split("\t")[0].rstrip()
        if header in ("--- ", "+++ "):
            path = path.partition("/")[2]
        if _is_safe(path):
            yield path


def _both(rest: str) -> Iterator[str]:
    """The one name of `a/name b/name`; of two that differ, other headers tell."""
    quoted = _QUOTED.match(rest)
    half = rest[: (len(rest) - 1) // 2]
    path = (
        _unquoted(quoted[1])
        if quoted
        else half
        if half.partition("/")[2] == rest[len(half) + 1 :].partition("/")[2]
        else ""
    )
    path = path.partition("/")[2]
    if _is_safe(path):
        yield path


def _is_safe(path: str) -> bool:
    return all(part not in ("", ".", "..") for part in path.split("/"))


def _unquoted(text: str) -> str:
    """A name as git writes it between quotes: C's escapes, bytes in octal."""

    def plain(match: re.Match[str]) -> bytes:
        escape = match[1]
        if len(escape) == 3:
            return bytes([int(escape, 8) & 0xFF])
        return _ESCAPES.get(escape, escape).encode(errors="surrogateescape")

    parts = re.split(r"(\\(?:[0-7]{3}|.))", text)
    pieces = (
        plain(match) if (match := re.fullmatch(r"\\([0-7]{3}|.)", part)) else part.encode(errors="surrogateescape")
        for part in parts
    )
    return os.fsdecode(b"".join(pieces))


def _take(view: TreeView, root: str, name: str, scratch: Path) -> None:
    """A file or link of the tree into the scratch folder; of one behind a link the link alone, which git then refuses."""
    parts = name.split("/")
    for depth in range(1, len(parts) + 1):
        below = "/".join(parts[:depth])
        target = scratch / below
        entry = view.lstat(posixpath.join(view.resolve(root), below))
        if entry is None or target.is_symlink():
            return
        if entry.kind == "symlink":
            target.symlink_to(view.readlink(entry.path))
            return
        if entry.kind == "dir":
            target.mkdir(exist_ok=True)
        elif entry.kind == "file" and depth == len(parts):
            with view.open(entry.path) as file:
                target.write_bytes(file.read())
            target.chmod(entry.mode & 0o777)


def _state(path: Path) -> _State:
    try:
        facts = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(facts.st_mode):
        return "link", 0, os.fsencode(path.readlink())
    if stat.S_ISREG(facts.st_mode):
        return "file", stat.S_IMODE(facts.st_mode), path.read_bytes()
    return None


def _remove_empty(edit: Editor, view: TreeView, root: str, gone: set[str]) -> None:
    """The directories that lost their last entry go too, as with git."""
    gone = set(gone)
    waiting = sorted(gone, reverse=True)
    for path in waiting:
        parent = posixpath.dirname(path)
        if parent in gone or parent.rstrip("/") == root.rstrip("/"):
            continue
        if all(posixpath.join(parent, each) in gone for each in view.listdir(parent)):
            edit.remove(parent)
            gone.add(parent)
            waiting.append(parent)
