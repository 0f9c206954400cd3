"""Which files of a tree differ from the commit where it branched off; or that commit's tree. Runs in a container with Git."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_SETTINGS = (
    "core.fileMode=false", "core.bare=false", "core.fsmonitor=false", "core.untrackedCache=false",
    "core.sparseCheckout=false",
)  # fmt: skip


class Git:
    """Git over a repository's own folder and a tree that need not be its work tree; nothing of it is written to."""

    def __init__(self, repository: str, tree: str, index: str) -> None:
        settings = (word for each in _SETTINGS for word in ("-c", each))
        self._words = ["git", *settings]
        where = {"GIT_DIR": repository, "GIT_WORK_TREE": tree, "GIT_INDEX_FILE": index, "GIT_OPTIONAL_LOCKS": "0"}
        self._environ = {**os.environ, **where}
        self._tree = tree

    def run(self, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [*self._words, *words]
        return subprocess.run(command, cwd=self._tree, env=self._environ, input=given, capture_output=True, check=False)

    def ask(self, *words: str) -> str:
        """What it prints; empty when it fails."""
        done = self.run(*words)
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""

    def must(self, *words: str, given: bytes = b"") -> bytes:
        done = self.run(*words, given=given)
        if done.returncode:
            raise Told({"error": "git-failed", "said": done.stderr.decode(errors="replace").strip()[-500:]})
        return done.stdout

    def names(self, *words: str) -> list[str]:
        """The names that a command prints with a NUL after each."""
        return [name.decode(errors="replace") for name in self.must(*words).split(b"\0") if name]


class Told(Exception):
    """The answer is known: why there is none."""

    def __init__(self, answer: dict[str, object]) -> None:
        super().__init__(answer)
        self.answer = answer


def compared(git: Git, head: str, ref: str) -> dict[str, object]:
    """The commit where `head` and `ref` part. Raises Told: `no-repository`, `no-head`, `unknown-ref`, `no-base`."""
    if not git.ask("rev-parse", "--git-dir"):
        raise Told({"error": "no-repository"})
    shallow = git.ask("rev-parse", "--is-shallow-repository") == "true"
    ours = _commit(git, head)
    if not ours:
        raise Told({"error": "no-head", "shallow": shallow})
    # A relative name is meant from the tree's own commit, which may be another work tree's.
    named = head + ref[len("HEAD") :] if ref == "HEAD" or ref[:5] in {"HEAD~", "HEAD^"} else ref
    theirs = _commit(git, named) or _commit(git, f"refs/remotes/origin/{ref}")
    if not theirs:
        raise Told({"error": "unknown-ref", "shallow": shallow})
    base = git.ask("merge-base", theirs, ours)
    if not base:
        raise Told({"error": "no-base", "shallow": shallow})
    return {"base": base, "head": ours}


def _commit(git: Git, name: str) -> str:
    return git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def changes(git: Git, tree: str, path: str, head: str, ref: str) -> dict[str, object]:
    """Files in `path` that are new or other than in the base, committed or not; and those that are gone."""
    found = compared(git, head, ref)
    base = str(found["base"])
    git.must("read-tree", base)
    # What is ignored may be said above `path`, where the tree has no files.
    above = [f"{folder}/.gitignore".removeprefix("./") for folder in map(str, Path(path).parents)]
    if above:
        git.must("checkout-index", "-q", "-z", "--stdin", given=git.must("ls-files", "-z", "--", *above))
    where = ("--", path)
    rows = git.names("diff", "--name-status", "--no-renames", "--ignore-submodules=all", "-z", *where)
    status = dict(zip(rows[1::2], rows[::2], strict=True))
    changed = {name for name, letter in status.items() if letter != "D"}
    changed |= set(git.names("ls-files", "--others", "--exclude-standard", "-z", *where))
    # What is committed though it is ignored counts too.
    added = git.names("diff", "--name-only", "--diff-filter=A", "--no-renames", "-z", base, str(found["head"]), *where)
    changed |= {name for name in added if os.path.lexists(Path(tree, name))}
    removed = {name for name, letter in status.items() if letter == "D"}
    return {**found, "changed": _below(changed, path), "removed": _below(removed, path)}


def _below(names: set[str], path: str) -> list[str]:
    prefix = "" if path == "." else f"{path}/"
    return sorted(name.removeprefix(prefix) for name in names)


def tree_of(git: Git, commit: str, path: str, to: str) -> dict[str, object]:
    """The files of `path` in a commit, written to `to`, which is empty when there was no such folder."""
    Path(to, path).mkdir(parents=True, exist_ok=True)
    git.must("read-tree", commit)
    names = git.must("ls-files", "-z", "--", path)
    git.must("checkout-index", "-q", "-f", "-z", "--stdin", f"--prefix={to}/", given=names)
    return {"base": commit}


def main(words: list[str]) -> None:
    """`changes REPOSITORY TREE PATH HEAD REF`, or `tree REPOSITORY TREE PATH COMMIT TO`."""
    verb, repository, tree, path, *rest = words
    with tempfile.TemporaryDirectory() as folder:
        git = Git(repository, tree, f"{folder}/index")
        try:
            answer = changes(git, tree, path, *rest) if verb == "changes" else tree_of(git, rest[0], path, rest[1])
        except Told as told:
            answer = told.answer
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
