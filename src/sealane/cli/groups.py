"""What `check`, `generate` and `up` share: their words, and the group of a workspace's functions that patterns name."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sealane.cli.engine import open_session
from sealane.cli.head import read_head
from sealane.cli.help import two_columns
from sealane.cli.options import Options, strip
from sealane.cli.progress import Progress, open_progress
from sealane.cli.serve import serve_module
from sealane.cli.wire import Session, literal
from sealane.errors import UsageError
from sealane_engine.modules.names import kebab


@dataclass(frozen=True, slots=True)
class Verb:
    """Such a verb: what `--help` says, its switches by their spellings, the workspace's field with its group's type."""

    name: str
    help: str
    switches: Mapping[str, str]
    field: str
    type: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words of such a verb: `-m`, its switches by name, patterns."""

    mod: str
    help: bool
    switches: frozenset[str]
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The group of an id, in an open session."""

    session: Session
    type: str
    id: str

    def ask(self, selection: str) -> Any:
        """A selection on it; the answer's data."""
        return self.session.query(f"query{{node(id:{literal(self.id)}){{... on {self.type}{{{selection}}}}}}}")["node"]


def asked(verb: Verb, options: Options, words: list[str]) -> tuple[Options, Words] | None:
    """What is asked of the verb; None when that was help, which is said. On a Dagger engine it doesn't come back."""
    if options.engine == "dagger":
        from sealane.cli import dagger

        dagger.verb(options, [verb.name, *words])
    options, words = strip(options, words)
    found = _read(f"sealane {verb.name}", words, verb.switches)
    if not found.help:
        return options, found
    sys.stdout.write(verb.help)
    return None


def _read(command: str, words: list[str], switches: Mapping[str, str]) -> Words:
    """Read the words of `command`; `switches` are its flags with their names."""
    head = read_head(words)
    found: set[str] = set()
    patterns: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 2 if word in ("-m", "--mod") else 1
        if word in switches:
            found.add(switches[word])
        elif not word.startswith("-"):
            patterns.append(word)
        elif not word.startswith(("-m", "--mod", "-M")) and word not in ("-h", "--help"):
            raise UsageError(f"unknown flag: {word}", command=command, reason="unknown-flag")
    return Words(head.mod, head.help, frozenset(found), tuple(patterns))


@contextmanager
def opened(verb: Verb, options: Options, words: Words, *arguments: str) -> Iterator[tuple[Group, Progress]]:
    """The group that the words name, in a session with the module served, for as long as the block runs."""
    progress = open_progress(options)
    try:
        with open_session(options, progress) as session:
            with progress.span(f"load workspace: {words.mod or '.'}"):
                serve_module(session.session, words.mod)
            given = [f"include:{literal(list(words.patterns))}"] if words.patterns else []
            call = f"{verb.field}({','.join([*given, *arguments])})" if given or arguments else verb.field
            data = session.session.query(f"query{{currentWorkspace{{{call}{{id}}}}}}")
            yield Group(session.session, verb.type, str(data["currentWorkspace"][verb.field]["id"])), progress
    finally:
        progress.close()


def print_list(group: Group) -> None:
    """Name and first line of each."""
    rows = [described(each) for each in group.ask("list{name description}")["list"]]
    sys.stdout.write(two_columns("Name", "Description", rows))


def described(found: dict[str, Any]) -> tuple[str, str]:
    return kebab_path(found["name"]), (found["description"] or "").split("\n", 1)[0]


def kebab_path(name: str) -> str:
    """`myMod:lintAll` → `my-mod:lint-all`."""
    return ":".join(kebab(part) for part in name.split(":"))
