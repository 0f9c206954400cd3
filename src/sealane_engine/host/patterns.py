"""Which files of a directory are meant: docker's include and exclude patterns, and .gitignore files.

Patterns go through docker/moby's patternmatcher rules, as in Dagger: the last pattern that matches a path or a directory
above it decides, `!` takes back. A directory that doesn't match itself appears when something below it does.
.gitignore is read as go-git reads it, as in Dagger: unlike git, `!dir/keep` brings a file back although `dir/` is ignored.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from typing import Final

from sealane_engine.store.wildcard import Pattern, component

IgnoreFiles = Iterable[tuple[str, Sequence[str]]]
"""(directory relative to the root, "" for the root itself; lines of its .gitignore)."""

_Marks = tuple[bool, ...]


class PatternList:
    """An ordered list of patterns."""

    __slots__ = ("_marks", "has_negations", "patterns")

    def __init__(self, texts: Iterable[str]) -> None:
        self.patterns: Final = tuple(Pattern(text) for text in texts if text.strip())
        self.has_negations: Final = any(pattern.negated for pattern in self.patterns)
        self._marks: dict[str, _Marks] = {"": ()}

    def matches(self, path: str) -> bool:
        """Whether the path, or a directory above it, is meant by the last pattern that has a say."""
        return self._decide(path, self._of_directory(path.rpartition("/")[0]))[0]

    def may_match_below(self, directory: str) -> bool:
        """Whether something below a directory that doesn't match might."""
        return any(not pattern.negated and pattern.may_match_below(directory) for pattern in self.patterns)

    def may_unmatch_below(self, directory: str) -> bool:
        """Whether a `!` pattern might take something below a matching directory back."""
        return any(pattern.negated and pattern.may_match_below(directory) for pattern in self.patterns)

    def _of_directory(self, path: str) -> _Marks:
        """Which patterns matched a directory or one above it. As in patternmatcher, a pattern that had no say there
        (it could not have changed the outcome) counts as not having matched.
        """
        missing = []
        while path not in self._marks:
            missing.append(path)
            path = path.rpartition("/")[0]
        marks = self._marks[path]
        for directory in reversed(missing):
            marks = self._marks[directory] = self._decide(directory, marks)[1]
        return marks

    def _decide(self, path: str, above: _Marks) -> tuple[bool, _Marks]:
        matched = False
        marks = []
        for index, pattern in enumerate(self.patterns):
            match = bool(above) and above[index]
            if not match and pattern.negated == matched:
                match = pattern.matches(path)
            marks.append(match)
            if match:
                matched = not pattern.negated
        return matched, tuple(marks)


class IgnoreRules:
    """The .gitignore files of a directory tree. Files may be added while the tree is walked, parents first.

    `below` is where the paths that are asked about lie in that tree: of a part of a repository, the whole counts.
    """

    def __init__(self, files: IgnoreFiles = (), *, below: str = "") -> None:
        self._rules: dict[str, tuple[_IgnoreRule, ...]] = {}
        self._below = below.split("/") if below else []
        self.key = below
        """Grows with each file added: names the rules."""
        for directory, lines in files:
            self.add(directory, lines)

    def add(self, directory: str, lines: Sequence[str]) -> None:
        """Take in one .gitignore of a directory of the tree."""
        texts = tuple(text for line in lines if (text := line.strip()) and not text.startswith("#"))
        if texts:
            self._rules[directory] = tuple(_rule(text) for text in texts)
            self.key += json.dumps([directory, texts])

    def ignored(self, path: str, is_dir: bool) -> bool:
        """Whether the last rule that matches, the deepest file's first, ignores the path."""
        if not self._rules:
            return False
        names = [*self._below, *path.split("/")] if path else self._below
        for depth in range(len(names) - 1, -1, -1):
            for rule in reversed(self._rules.get("/".join(names[:depth]), ())):
                if rule.matches(names[depth:], is_dir):
                    return not rule.negated
        return False

    def may_keep_below(self, directory: str) -> bool:
        """Whether a `!` rule known so far might bring something below an ignored directory back."""
        names = [*self._below, *directory.split("/")]
        return any(
            rule.negated and rule.may_match_below(names[depth:])
            for depth in range(len(names))
            for rule in self._rules.get("/".join(names[:depth]), ())
        )


class Filter:
    """Include, exclude and .gitignore together. Paths are relative ("a/b"), without a slash at the end."""

    def __init__(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        gitignore: IgnoreFiles | IgnoreRules | None = None,
    ) -> None:
        self._include = PatternList(include) if any(text.strip() for text in include) else None
        self._exclude = PatternList(exclude) if any(text.strip() for text in exclude) else None
        self._ignore = gitignore if isinstance(gitignore, IgnoreRules) or gitignore is None else IgnoreRules(gitignore)
        self._texts = (tuple(include), tuple(exclude))

    @property
    def key(self) -> str:
        """Equal keys: equal decisions. (.gitignore files that are added later change it.)"""
        return json.dumps([*self._texts, "" if self._ignore is None else self._ignore.key])

    @property
    def by_path(self) -> bool:
        """Whether a path that is out stays out whatever lies below it, and one that is in has its parents in."""
        return self._include is None and self._ignore is None and not (self._exclude and self._exclude.has_negations)

    @property
    def everything(self) -> bool:
        return self._include is None and self._exclude is None and self._ignore is None

    def match(self, path: str, is_dir: bool) -> bool:
        """Whether the path itself is meant."""
        if self._include is not None and not self._include.matches(path):
            return False
        if self._exclude is not None and self._exclude.matches(path):
            return False
        return self._ignore is None or not self._ignore.ignored(path, is_dir)

    def may_match_below(self, path: str) -> bool:
        """Whether a directory must be walked: it matches, or something below it might."""
        include, exclude, ignore = self._include, self._exclude, self._ignore
        if include is not None and not include.matches(path) and not include.may_match_below(path):
            return False
        if exclude is not None and exclude.matches(path) and not exclude.may_unmatch_below(path):
            return False
        return ignore is None or not ignore.ignored(path, True) or ignore.may_keep_below(path)


class _IgnoreRule:
    """One line of a .gitignore."""

    __slots__ = ("_anywhere", "_directories_only", "_parts", "negated")

    def __init__(self, line: str) -> None:
        self.negated = line.startswith("!")
        text = line[1:] if self.negated else line
        if not text.endswith("\\ "):
            text = text.rstrip(" ")
        self._directories_only = text.endswith("/")
        text = text.removesuffix("/")
        self._anywhere = "/" not in text
        self._parts = tuple(text.split("/"))

    def matches(self, names: Sequence[str], is_dir: bool) -> bool:
        """Whether a path (below the rule's directory), or a directory above it, is meant."""
        return self._matches_name(names, is_dir) if self._anywhere else self._matches_path(names, is_dir)

    def may_match_below(self, names: Sequence[str]) -> bool:
        if self._anywhere or "**" in self._parts:
            return True
        parts = [part for part in self._parts if part]
        return all(component(part, name) for part, name in zip(parts, names, strict=False))

    def _matches_name(self, names: Sequence[str], is_dir: bool) -> bool:
        last = len(names) - 1
        for index, name in enumerate(names):
            if component(self._parts[0], name):
                return not (self._directories_only and not is_dir and index == last)
        return False

    def _matches_path(self, names: Sequence[str], is_dir: bool) -> bool:
        rest = list(names)
        matched = anywhere = False
        for index, part in enumerate(self._parts):
            if not part:
                anywhere = False
            elif part == "**":
                if index == len(self._parts) - 1:
                    break
                anywhere = True
            elif "**" in part or not rest:
                return False
            elif anywhere:
                anywhere = False
                matched = False
                while rest and not matched:
                    matched = component(part, rest.pop(0))
            else:
                if not component(part, rest.pop(0)):
                    return False
                matched = True
        return matched and not (self._directories_only and not is_dir and not rest)


@functools.lru_cache(maxsize=1024)
def _rule(line: str) -> _IgnoreRule:
    return _IgnoreRule(line)
