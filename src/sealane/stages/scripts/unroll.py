"""Writes what commits added, from a patch of `git log -U0`, into a folder that a scanner of files can look at.

Usage: unroll.py PATCH FOLDER. Each hunk that adds lines becomes a file `FOLDER/<n>.txt`; `FOLDER/index.json` is a list
of [commit, path, first line] by n. A hunk that another commit added to the same path word for word (as a merge does) is
written once, binary ones never. Ends with 3 when there is more than a scanner gets through.
"""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import BinaryIO

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)")
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_MOST = 200_000  # hunks
_LARGEST = 1024 * 1024 * 1024  # bytes of all of them


def unroll(patch: BinaryIO, folder: Path) -> None:
    """Counts the lines of each hunk, so that no file can pass for a part of the patch."""
    index: list[tuple[str, str, int]] = []
    seen: set[bytes] = set()
    commit, path, size = "", "", 0
    for line in patch:
        if line.startswith(b"commit "):
            commit = line[7:].decode().strip()
        elif line.startswith(b"+++ "):
            path = _path(line[4:].rstrip(b"\n"))
        elif hunk := _HUNK.match(line):
            added = _added(patch, int(hunk[1] or 1), int(hunk[3] or 1))
            known = hashlib.sha256(path.encode() + b"\0" + added).digest()
            if not added or b"\0" in added or known in seen:
                continue
            seen.add(known)
            size += len(added)
            if len(index) >= _MOST or size > _LARGEST:
                sys.exit(3)
            (folder / f"{len(index)}.txt").write_bytes(added)
            index.append((commit, path, int(hunk[2])))
    (folder / "index.json").write_text(json.dumps(index))


def _added(patch: BinaryIO, gone: int, came: int) -> bytes:
    """The lines that a hunk adds: without context, what goes stands before what comes."""
    for _ in range(gone):
        patch.readline()
    lines: list[bytes] = []
    while len(lines) < came:
        line = patch.readline()
        if not line:
            break
        if line.startswith(b"+"):  # else it says that what went had no line end
            lines.append(line[1:])
    return b"".join(lines)


def _path(name: bytes) -> str:
    """Git puts names with control characters, quotes or backslashes in quotes, and a tab behind names with a space."""
    name = name.removesuffix(b"\t")
    if name.startswith(b'"'):
        name = _ESCAPED.sub(_character, name[1:-1])
    return name.removeprefix(b"b/").decode(errors="replace")


def _character(escaped: re.Match[bytes]) -> bytes:
    code = escaped[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _LETTERS.get(code, code)


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    with Path(sys.argv[1]).open("rb") as opened:
        unroll(opened, target)
