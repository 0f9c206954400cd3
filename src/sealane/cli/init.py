"""`sealane init`: looks at a project, and writes the little that its configuration must say. It never overwrites any."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.cli import folder
from sealane.cli.options import Options, strip
from sealane.config.read import parse
from sealane.errors import ConfigError, SealaneError
from sealane.services import wanted
from sealane.stages import declared, pythons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealane.services.wanted import Wanted
    from sealane.stages.project import Project

_TABLE = "[tool.sealane]"
_CLASSIFIER = re.compile(r"^Programming Language :: Python :: (3\.\d+)$")
_NEXT = """\
Next:
  sealane plan            # which stages would run, with what, and why
  sealane call pipeline   # run them; the report is in out/
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the configuration goes: `text` at the end of `path`, which has `size` bytes now; None: it is new."""

    path: Path
    text: str
    size: int | None


def run(options: Options, words: list[str]) -> int:
    """Exit code 0 when there is a configuration that works afterwards: one that was there is left as it is."""
    _, words = strip(options, words)
    parser = argparse.ArgumentParser(
        "sealane init",
        description="Look at a project and write the configuration it needs. What is there is never overwritten.",
    )
    parser.add_argument("--source", type=Path, metavar="DIR", help="the project (default: the one around this folder)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be written; write nothing")
    arguments = parser.parse_args(words)
    path = folder.chosen(arguments.source)
    project = folder.read(path)
    services = _services(path, project)
    sys.stdout.write(_found(path, project, services))
    if place := _configured(project):
        print(f"{path / place} has a configuration, which stays as it is.")
        sys.stdout.write(_NEXT)
        return 0
    target = _target(path, project, _lines(project, services))
    if arguments.dry_run:
        print(f"Would {'write' if target.size is None else 'add to'} {target.path}:\n\n{target.text.strip()}")
        return 0
    _write(target)
    print(f"{'Wrote' if target.size is None else f'Added {_TABLE} to'} {target.path}.")
    sys.stdout.write(_NEXT)
    return 0


def _services(path: Path, project: Project) -> tuple[Wanted, ...]:
    texts = {name: asyncio.run(folder.File(path / name).contents()) for name in wanted.files(project.files)}
    return wanted.read(texts)


def _configured(project: Project) -> str:
    """The file whose configuration holds; empty when there is none."""
    if project.has("sealane.toml"):
        return "sealane.toml"
    return "pyproject.toml" if "sealane" in project.pyproject.get("tool", {}) else ""


def _found(path: Path, project: Project, services: Sequence[Wanted]) -> str:
    """What was seen, a line for each kind of thing."""
    tests = {"unit": project.unit_tests, "integration": project.integration_tests, "e2e": project.e2e_tests}
    performance = [f"performance ({project.locustfile})"] if project.locustfile else []
    dockerfile = project.config.build.dockerfile
    rows = {
        "Python": f"{', '.join(project.packages) or 'no package'}; runs on {project.config.python}"
        if project.python
        else "",
        "tests": ", ".join([*(f"{name} ({' '.join(paths)})" for name, paths in tests.items() if paths), *performance]),
        "frontend": "" if project.frontend is None else f"package.json in {project.frontend}",
        "image": dockerfile if project.has(dockerfile) else f"no {dockerfile}: nothing is built",
        "services": ", ".join(f"{each.image} ({each.file})" for each in services),
    }
    width = max(map(len, rows))
    return f"{path}\n" + "".join(f"  {name:<{width}}  {said or 'none'}\n" for name, said in rows.items())


def _lines(project: Project, services: Sequence[Wanted]) -> list[str]:
    """The configuration: what can't be found by itself, and as comments what there is to choose."""
    lines = [
        "# What is not said here is found in the project, and the gates are the defaults: `sealane plan` shows both."
    ]
    for each in services:
        keys = [f"services.{each.kind}.{key} = {json.dumps(value)}" for key, value in each.settings.items()]
        lines += keys if each.known else [f"# {each.file} starts {each.image}: say how in services.other.{each.kind}."]
    choices: list[tuple[str, str]] = []
    if services and project.unit_tests and not project.integration_tests:
        lines.append("# Unit tests run without services. Where these need them:")
        lines += ["# test.unit = []", f"# test.integration = {json.dumps(list(project.unit_tests))}"]
    named = [m[1] for c in _classifiers(project) if (m := _CLASSIFIER.match(c))]
    versions = pythons.allowed(named, pythons.requires(project.pyproject, project.texts))
    if len(versions) > 1:
        choices.append((f"test.matrix.python = {json.dumps(versions)}", f"else {project.config.python} alone"))
    choices.append(('scan.advisories = "advisories"', "OSV files; without them dependencies are not scanned"))
    choices.append(
        ('gates.baseline = "sealane-baseline.json"', "`sealane gates --write-baseline`: then only new findings count")
    )
    width = max(len(choice) for choice, _ in choices)
    return [*lines, *(f"# {choice:<{width}}  # {said}" for choice, said in choices)]


def _classifiers(project: Project) -> list[str]:
    said = declared.table(project.pyproject, "project").get("classifiers", [])
    return [each for each in said if isinstance(each, str)] if isinstance(said, list) else []


def _target(path: Path, project: Project, lines: list[str]) -> Target:
    """At the end of pyproject.toml where there is one that takes a table; else in sealane.toml."""
    if project.has("pyproject.toml"):
        pyproject = path / "pyproject.toml"
        before = pyproject.read_bytes()
        end = "\r\n" if b"\r\n" in before else "\n"
        gap = end if not before or before.endswith(b"\n") else 2 * end
        text = gap + "".join(line + end for line in (_TABLE, *lines))
        try:
            parse(before.decode() + text)
            return Target(pyproject, text, len(before))
        except ConfigError:
            pass  # `tool = { … }` on one line takes no more tables
    text = "".join(f"{line}\n" for line in lines)
    parse(None, text)
    return Target(path / "sealane.toml", text, None)


def _write(target: Target) -> None:
    """All of it or nothing. Raises SealaneError."""
    try:
        with target.path.open("xb" if target.size is None else "ab") as file:
            file.write(target.text.encode())
    except OSError as error:
        _undo(target, error)
        raise SealaneError(
            f"{target.path} can't be written: {error.strerror}",
            reason="not-writable",
            hint="Nothing was changed. `sealane init --dry-run` prints what would stand there.",
        ) from None


def _undo(target: Target, error: OSError) -> None:
    if isinstance(error, FileExistsError):
        return  # somebody else's, since we looked
    if target.size is None:
        target.path.unlink(missing_ok=True)
    elif target.path.stat().st_size > target.size:
        with target.path.open("r+b") as file:
            file.truncate(target.size)
