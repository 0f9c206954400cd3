"""What a repository's references are, and which one a name means: as `git checkout` would take it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sealane_engine.errors import InvalidInput, NotFound

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_VERSION = re.compile(r"v(0|[1-9]\d*)(?:\.(0|[1-9]\d*)(?:\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?)?)?")


@dataclass(frozen=True, slots=True)
class Found:
    """A commit, and the full name of the reference that led to it (empty: it was named itself)."""

    commit: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Refs:
    """(name, object) as `git ls-remote` lists them, and what symbolic ones point to."""

    entries: tuple[tuple[str, str], ...]
    symbolic: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, listing: str) -> Refs:
        """Read what `git ls-remote --symref` prints."""
        entries, symbolic = [], []
        for line in listing.splitlines():
            what, _, name = line.partition("\t")
            if what.startswith("ref: "):
                symbolic.append((name, what.removeprefix("ref: ")))
            elif is_commit(what):
                entries.append((name, what))
        return cls(tuple(entries), tuple(symbolic))

    def lookup(self, target: str) -> Found:
        """What a name means: a full or short name, a branch before a tag, or a whole commit id."""
        if is_commit(target):
            return Found(target)
        known = dict(self.entries)
        tag = f"refs/tags/{target.removeprefix('refs/tags/')}"
        branch = f"refs/heads/{target.removeprefix('refs/heads/')}"
        for name in (target, f"refs/{target.removeprefix('refs/')}", branch):
            if name in known:
                # a tag with a full name may have a message: the commit is what it points to
                return Found(known.get(f"{name}^{{}}", known[name]), dict(self.symbolic).get(name, name))
        if tag in known:
            return Found(known.get(f"{tag}^{{}}", known[tag]), tag)
        raise NotFound(
            f'repository does not contain ref "{target}"',
            reason="git-ref-not-found",
            hint="name a branch, a tag or a whole commit id",
        )

    def branches(self, patterns: Sequence[str] = ()) -> list[str]:
        return self._names("refs/heads/", patterns)

    def tags(self, patterns: Sequence[str] = ()) -> list[str]:
        return self._names("refs/tags/", patterns)

    def _names(self, prefix: str, patterns: Sequence[str]) -> list[str]:
        names = (name for name, _ in self.entries if name.startswith(prefix) and not name.endswith("^{}"))
        return [name.removeprefix(prefix) for name in names if not patterns or _matches(name, patterns)]

    def latest_version(self) -> str:
        """The tag with the highest semantic version (`v1`, `v1.2`, `v1.2.3-rc.1`)."""
        found = [tag for tag in self.tags() if _is_version(tag)]
        if not found:
            raise NotFound("no valid semver tags found", reason="git-no-versions", hint="tag a commit, as in v1.2.3")
        return max(found, key=_order)


def is_commit(text: str) -> bool:
    return _COMMIT.fullmatch(text) is not None


def check_commit(text: str) -> str:
    if not is_commit(text):
        raise InvalidInput(
            f'invalid commit SHA: "{text}"', reason="git-commit", hint="give the whole id; a name goes to `ref`"
        )
    return text


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """A pattern stands for the last parts of a name."""
    return any(fnmatchcase(f"/{name}", f"*/{pattern}") for pattern in patterns)


def _is_version(tag: str) -> bool:
    found = _VERSION.fullmatch(tag)
    if found is None:
        return False
    before = found[4].split(".") if found[4] else []
    return all(part and not (part.isdigit() and len(part) > 1 and part[0] == "0") for part in before)


def _order(tag: str) -> tuple[int, int, int, bool, list[tuple[bool, int, str]]]:
    found = _VERSION.fullmatch(tag)
    assert found is not None
    major, minor, patch = (int(found[index] or 0) for index in (1, 2, 3))
    before = [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in (found[4] or "").split(".")]
    return major, minor, patch, not found[4], before if found[4] else []
