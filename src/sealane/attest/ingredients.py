"""What a Dockerfile takes from outside: the images and downloads of the stages that a target needs, and its steps."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sealane.stages import dockerfile

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")
_FROM_MOUNT = re.compile(r"--mount=\S*?\bfrom=([^,\s]+)")
_OPTION = re.compile(r"--([\w-]+)=(\S+)\s+")
_SHOWN = frozenset({"RUN", "COPY", "ADD", "FROM", "WORKDIR", "USER", "ENV", "ENTRYPOINT", "CMD"})


@dataclass(frozen=True, slots=True)
class Ingredients:
    """Images as the Dockerfile names them, downloads (address, promised digest), and the instructions in order."""

    images: tuple[str, ...]
    downloads: tuple[tuple[str, str], ...]
    steps: tuple[str, ...]


@dataclass(slots=True)
class _Stage:
    base: str
    uses: list[str] = field(default_factory=list)
    downloads: list[tuple[str, str]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)


def read(text: str, target: str, args: Mapping[str, str]) -> Ingredients:
    """Those of `target` (the last stage when empty)."""
    stages: dict[str, _Stage] = {}
    names: list[str] = []
    variables: dict[str, str] = {}
    for word, rest in dockerfile.instructions(text):
        if word == "ARG" and not names:
            name, _, default = rest.partition("=")
            variables[name.strip()] = args.get(name.strip(), expand(default.strip().strip("\"'"), variables))
        elif word == "FROM":
            parts = [expand(part, variables) for part in rest.split() if not part.startswith("--")]
            name = parts[2].lower() if len(parts) > 2 and parts[1].upper() == "AS" else str(len(names))
            names.append(name)
            stages[name] = _Stage(parts[0] if parts else "", steps=[f"FROM {' '.join(parts)}"])
        elif names:
            _instruction(stages[names[-1]], word, rest, names)
    last = target.lower() if target else (names[-1] if names else "")
    return _needed(stages, last)


def _instruction(stage: _Stage, word: str, rest: str, names: list[str]) -> None:
    if word in _SHOWN:
        stage.steps.append(f"{word} {' '.join(rest.split())}")
    options: dict[str, str] = {}
    if word == "RUN":
        stage.uses += _FROM_MOUNT.findall(rest)
    if word in {"COPY", "ADD"}:
        while match := _OPTION.match(rest):
            options[match[1]] = match[2]
            rest = rest[match.end() :]
    if source := options.get("from"):
        stage.uses.append(names[int(source)] if source.isdigit() and int(source) < len(names) - 1 else source)
    if word == "ADD":
        for part in _split(rest)[:-1]:
            if part.startswith(("http://", "https://")):
                stage.downloads.append((part, options.get("checksum", "")))


def _split(rest: str) -> list[str]:
    try:
        return shlex.split(rest.strip("[]").replace('",', '" ') if rest.startswith("[") else rest)
    except ValueError:
        return rest.split()


def _needed(stages: Mapping[str, _Stage], last: str) -> Ingredients:
    """Of the stages that lead to `last`, in the order they are written."""
    wanted, waiting = set[str](), [last]
    images: dict[str, None] = {}
    while waiting:
        name = waiting.pop()
        stage = stages.get(name.lower())
        if stage is None:
            if name and name != "scratch":
                images[name] = None
        elif name.lower() not in wanted:
            wanted.add(name.lower())
            waiting += [stage.base, *stage.uses]
    kept = [stage for name, stage in stages.items() if name in wanted]
    downloads = dict.fromkeys(each for stage in kept for each in stage.downloads)
    return Ingredients(tuple(sorted(images)), tuple(downloads), tuple(s for stage in kept for s in stage.steps))


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$X`, `${X}`, `${X:-otherwise}`, `${X:+instead}`."""

    def value(match: re.Match[str]) -> str:
        found, how = variables.get(match[1] or match[2]), match[3] or ""
        if how.endswith("+"):
            return expand(match[4], variables) if found else ""
        if how.endswith("-") and not found and (how == ":-" or found is None):
            return expand(match[4], variables)
        return found or ""

    return _VARIABLE.sub(value, text)
