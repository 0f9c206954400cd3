"""Whether a directory of this machine is what a changeset was made from: what applying it there would lose, if not."""

from __future__ import annotations

import filecmp
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealane.cli.wire import Session, literal
from sealane.errors import ChangesRefused

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Stat:
    """One path of a changeset; a directory's has a slash at its end. `kind` is ADDED, MODIFIED, REMOVED or RENAMED."""

    path: str
    kind: str
    added: int = 0
    removed: int = 0
    old_path: str = ""


@dataclass(frozen=True, slots=True)
class _Paths:
    """`old` are files that are changed or go away, `gone` directories that do, `new` is what wasn't there."""

    old: tuple[str, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...]
    stays: frozenset[str]

    @classmethod
    def of(cls, stats: Iterable[Stat]) -> _Paths:
        rows = list(stats)
        removed = [row.path for row in rows if row.kind == "REMOVED"]
        modified = [row.path for row in rows if row.kind == "MODIFIED"]
        renamed = [row.old_path for row in rows if row.old_path]
        return cls(
            (*modified, *renamed, *(path for path in removed if not path.endswith("/"))),
            tuple(path for path in removed if path.endswith("/")),
            tuple(row.path for row in rows if row.kind in ("ADDED", "RENAMED")),
            frozenset((*modified, *renamed)),
        )


def refuse(session: Session, changeset: str, stats: Iterable[Stat], folder: Path, elsewhere: str = "") -> None:
    """Raise ChangesRefused, with every path in the way, unless the changeset can be applied to `folder` without loss.

    `elsewhere` ends the next step that the message says.
    """
    paths = _Paths.of(stats)
    missing = sorted(path for path in paths.stays if not os.path.lexists(folder / path))
    if missing and not any(os.path.lexists(folder / path) for path in paths.old):
        raise ChangesRefused(
            f"the changes are about files that are not in {folder}: {_listed(missing, ', ')}",
            reason="other-directory",
            hint=_where(missing, folder) + elsewhere + ".",
        )
    found = dict.fromkeys(missing, "is not there any more")
    found |= _obstructed(paths, folder)
    with _exported(session, changeset, reverse=True) as before:
        found |= {
            path: "is not what the changes were made from"
            for path in paths.old
            if path not in found and os.path.lexists(folder / path) and not _same(folder / path, before / path)
        }
        turned = [path for path in paths.old if path not in found and _is_folder(folder / path)]
        found |= dict(_unknown((*paths.gone, *turned), folder, before))
    found |= _replaced(session, changeset, [path for path in paths.new if path not in found], folder)
    if found:
        raise ChangesRefused(
            f"the changes can't be applied to {folder}, and nothing was written:\n"
            + _listed([f"  {path} {why}" for path, why in sorted(found.items())], "\n"),
            reason="changes-conflict",
            hint=f"Make the changes again from what is there now{elsewhere}.",
        )


def _where(missing: list[str], folder: Path) -> str:
    for parent in folder.parents:
        if all(os.path.lexists(parent / path) for path in missing):
            return f"Run it in {parent} (cd there, or pass --workdir)"
    return "Run it in the directory that the files are in"


def _obstructed(paths: _Paths, folder: Path) -> dict[str, str]:
    """Paths that lead through a link or a file here: writing there would leave the directory, or replace that."""
    found = {}
    known: dict[str, bool] = {}
    for path in (*paths.old, *paths.gone, *paths.new):
        parts = path.rstrip("/").split("/")
        ways = ["/".join(parts[:length]) for length in range(1, len(parts))] + [path.rstrip("/")] * path.endswith("/")
        for way in ways:
            if way not in known:
                known[way] = os.path.lexists(folder / way) and not _is_folder(folder / way)
            if known[way]:
                found[path] = f"leads through {way}, which is no directory here"
                break
    return found


def _unknown(gone: Iterable[str], folder: Path, before: Path) -> Iterator[tuple[str, str]]:
    """What lies in a directory that goes away, without the changes knowing of it."""
    for path in gone:
        for root, folders, files in os.walk(folder / path):
            links = [name for name in folders if (Path(root) / name).is_symlink()]
            for name in (*files, *links):
                inside = (Path(root) / name).relative_to(folder)
                if not os.path.lexists(before / inside):
                    yield str(inside), f"would go with {path}, and the changes know nothing of it"


def _replaced(session: Session, changeset: str, new: list[str], folder: Path) -> dict[str, str]:
    """What is here with other content where the changes say that nothing was.

    Changes that were made from nothing say only what is to be: like Dagger they replace what is there.
    """
    there = [path for path in new if not path.endswith("/") and os.path.lexists(folder / path)]
    if not there:
        return {}
    asked = "before{entries}"
    entries = session.query(f"query{{node(id:{literal(changeset)}){{... on Changeset{{{asked}}}}}}}")
    from_nothing = not entries["node"]["before"]["entries"]
    with _exported(session, changeset, reverse=False) as after:
        return {
            path: "is there already, and not the same"
            for path in there
            if not _same(folder / path, after / path) and not (from_nothing and not _is_folder(folder / path))
        }


@contextmanager
def _exported(session: Session, changeset: str, *, reverse: bool) -> Iterator[Path]:
    """The files that the changes write, in a directory of ours; with `reverse` as they were before the changes."""
    sides = session.query(f"query{{node(id:{literal(changeset)}){{... on Changeset{{before{{id}}after{{id}}}}}}}}")[
        "node"
    ]
    old, new = literal(sides["before"]["id"]), literal(sides["after"]["id"])
    of, since = (old, new) if reverse else (new, old)
    with tempfile.TemporaryDirectory(prefix="sealane-changes-") as scratch:
        layer = f"changes(from:{since}){{layer{{export(path:{literal(scratch)})}}}}"
        session.query(f"query{{node(id:{of}){{... on Directory{{{layer}}}}}}}")
        yield Path(scratch)


def _same(here: Path, there: Path) -> bool:
    """The same kind, content or target, and right to be executed."""
    try:
        one, other = here.lstat(), there.lstat()
    except OSError:
        return False
    if stat.S_IFMT(one.st_mode) != stat.S_IFMT(other.st_mode):
        return False
    if stat.S_ISDIR(one.st_mode):  # what is in them is looked at apart
        return True
    if stat.S_ISLNK(one.st_mode):
        return here.readlink() == there.readlink()
    if not stat.S_ISREG(one.st_mode) or (one.st_mode ^ other.st_mode) & stat.S_IXUSR:
        return False
    return filecmp.cmp(here, there, shallow=False)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _listed(texts: list[str], between: str) -> str:
    more = [f"{'  ' if between == chr(10) else ''}and {len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
    return between.join([*texts[:_SHOWN], *more])
