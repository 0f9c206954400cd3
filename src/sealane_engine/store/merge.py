"""Copying a directory into another, entry by entry: the general way, for when whole layers can't be stacked (prefix.py)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sealane_engine.errors import InvalidInput
from sealane_engine.store import disk
from sealane_engine.store.modes import Mode, given
from sealane_engine.store.paths import join, split

if TYPE_CHECKING:
    from sealane_engine.store.edit import Editor
    from sealane_engine.store.view import Entry, TreeView


class Match(Protocol):
    """Which entries of a directory are meant, by their path relative to it ("a/b")."""

    @property
    def key(self) -> str:
        """Names the filter in cache keys: equal keys decide equally. "" is a filter that can't be named."""
        ...

    @property
    def by_path(self) -> bool:
        """Whether what is out depends on its path alone and what is in has its parents in: then layers can be filtered
        one by one.
        """
        ...

    def match(self, path: str, is_dir: bool) -> bool: ...

    def may_match_below(self, path: str) -> bool:
        """Whether something below a directory that doesn't match may match."""
        ...


class _Nameless:
    """A plain function as a filter: nothing is remembered, everything is walked."""

    key = ""
    by_path = False

    def __init__(self, match: Callable[[str, bool], bool]) -> None:
        self.match = match

    def may_match_below(self, path: str) -> bool:  # noqa: ARG002  part of Match
        return True


def as_match(match: Match | Callable[[str, bool], bool] | None) -> Match | None:
    """A filter, or a function of (relative path, is a directory)."""
    if match is None or not callable(match):
        return match
    return _Nameless(match)


@dataclass(frozen=True, slots=True)
class Rules:
    """How entries are copied: which, and with what owner (inner ids) and mode; None keeps the source's."""

    match: Match | None = None
    uid: int | None = None
    gid: int | None = None
    mode: Mode = None

    def owner_and_mode(self, entry: Entry) -> tuple[int, int, int]:
        mode = entry.mode if entry.kind == "symlink" else given(self.mode, entry.mode, is_dir=entry.kind == "dir")
        uid = entry.uid if self.uid is None else self.uid
        return uid, entry.gid if self.gid is None else self.gid, mode

    def included(self, path: str, is_dir: bool) -> bool:
        return self.match is None or self.match.match(path, is_dir)

    def entered(self, path: str) -> bool:
        """Whether a directory must be looked into."""
        return self.match is None or self.match.match(path, True) or self.match.may_match_below(path)


def merge(editor: Editor, source: TreeView, source_path: str, dest: str, rules: Rules) -> None:
    """Copy what the directory `source_path` (links resolved) holds into `dest` (a clean path)."""
    Merge(editor, source, source_path, dest, rules).run()


class Merge:
    def __init__(self, editor: Editor, source: TreeView, source_path: str, dest: str, rules: Rules) -> None:
        self.editor = editor
        self.source = source
        self.start = source_path
        self.rules = rules
        self.dest = dest
        self._targets: dict[str, str] = {}
        self._times: list[tuple[str, tuple[int, int]]] = []

    def run(self) -> None:
        editor, rules = self.editor, self.rules
        with disk.guarded(editor.store.home):
            self._targets[""] = self._prepare_root()
            skip = len(self.start) + 1 if self.start != "/" else 1
            for path, entry in self.source.walk(self.start, lambda entry: rules.entered(entry.path[skip:])):
                relative = path[skip:]
                if not rules.included(relative, entry.kind == "dir"):
                    continue
                if entry.kind == "dir":
                    self._directory(relative)
                    continue
                above, _, name = relative.rpartition("/")
                editor.put(entry, join(self._directory(above), name), rules)
            for real, times in reversed(self._times):
                os.utime(real, ns=times)
        editor.view.changed(self._targets[""])

    def _prepare_root(self) -> str:
        root = self.source.exact(self.start)
        assert root is not None
        target = self.editor.view.resolve(self.dest)
        if target == "/":
            self.editor.copy_up("/")
            return target
        there = self.editor.view.exact(target)
        if there is None or there.kind != "dir":
            above = split(target)[0]
            try:
                self.editor.make_directories(above, 0o755)
            except InvalidInput as error:
                raise InvalidInput(
                    f"cannot copy directory to non-directory {above!r}", reason="not-a-directory"
                ) from error
            there = None
        if root.facts is None and there is not None:
            # An empty directory without layers has no metadata to hand on.
            self.editor.copy_up(target)
            self._override(target)
            return target
        self._take_over(root, target, exists=there is not None)
        return target

    def _directory(self, relative: str) -> str:
        """Where a directory of the source goes; made, or given the source's metadata, the first time."""
        missing = []
        while relative not in self._targets:
            missing.append(relative)
            relative = relative.rpartition("/")[0]
        for path in reversed(missing):
            above, _, name = path.rpartition("/")
            self._targets[path] = self._make(path, join(self._targets[above], name))
        return self._targets[missing[0] if missing else relative]

    def _make(self, relative: str, target: str) -> str:
        view = self.editor.view
        there = view.exact(target)
        if there is not None and there.kind == "symlink":
            behind = view.exact(view.resolve(target))
            if behind is not None and behind.kind == "dir":
                there = behind
        target = there.path if there is not None else target
        entry = self.source.exact(join(self.start, relative))
        assert entry is not None
        self._take_over(entry, target, exists=there is not None and there.kind == "dir")
        return target

    def _take_over(self, entry: Entry, target: str, *, exists: bool) -> None:
        """A directory at `target` with the metadata that the rules give the source's."""
        editor = self.editor
        uid, gid, mode = self.rules.owner_and_mode(entry)
        if not exists:
            editor.new_directory(target, mode, uid, gid)
        else:
            editor.copy_up(target)
        real = editor.real(target)
        facts = entry.facts
        if facts is not None:
            disk.copy_xattrs(entry.real, real)
            times = (facts.st_atime_ns, facts.st_mtime_ns)
            ids = editor.store.ids
            disk.set_metadata(real, stat.S_IFDIR | mode, ids.outer(uid), ids.outer(gid), times)
            self._times.append((real, times))

    def _override(self, target: str) -> None:
        entry = self.editor.view.exact(target)
        assert entry is not None
        uid, gid, mode = self.rules.owner_and_mode(entry)
        ids = self.editor.store.ids
        disk.set_metadata(self.editor.real(target), stat.S_IFDIR | mode, ids.outer(uid), ids.outer(gid), None)
