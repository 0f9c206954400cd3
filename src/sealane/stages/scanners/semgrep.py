"""Semgrep: with the rules that ship with Sealane over the code and over every file, and with the packs of its registry."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING

from sealane.findings import sarif
from sealane.findings.scanners import READERS, Said
from sealane.findings.scanners.common import bounded, check, unreadable
from sealane.stages import steps
from sealane.stages.scanners import scanned
from sealane.stages.scanners.scanned import Scanned, Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dagger

    from sealane.config.stages import ScanConfig
    from sealane.stages.project import Project

CODE, SECRETS, PACKS = "semgrep", "secrets", "semgrep-packs"
_FOR_SECRETS = "secrets.yaml"
_RULES = "/rules"
_REGISTRY = "https://semgrep.dev/c/"
# Semgrep leaves tests and examples out of its own accord. A secret there is as lost as one anywhere.
_EVERYTHING = "node_modules/\n.venv/\n.git/\n"
# Nor does it say that it left out a file of more than a megabyte. What is larger than this holds data, not keys.
_LARGEST = 4 * 1024 * 1024
# Of what Semgrep notes about a run, what concerns a file's own syntax: linters say that. All else is a file unseen.
_SYNTAX = frozenset({"Syntax error", "Lexical error", "Other syntax error", "AST builder error", "PartialParsing"})


def rules() -> dict[str, str]:
    """File name → text of the rules that ship with Sealane."""
    folder = resources.files("sealane.stages.rules")
    return {f.name: f.read_text() for f in sorted(folder.iterdir(), key=lambda f: f.name) if f.name.endswith(".yaml")}


def everything() -> tuple[str, ...]:
    """Where the rules that ship are in the scanner's container."""
    return tuple(f"{_RULES}/{name}" for name in rules())


def command(configs: Sequence[str], output: str, exclude: Sequence[str] = (), largest: int = 1_000_000) -> list[str]:
    """One run of Semgrep over the working directory that sends nothing, and with rules at hand asks nobody."""
    words = ["semgrep", "scan", "--metrics=off", "--disable-version-check", "--no-git-ignore", "--quiet"]
    words += [word for config in configs for word in ("--config", config)]
    words += [word for pattern in exclude for word in ("--exclude", pattern)]
    return [*words, f"--max-target-bytes={largest}", "--sarif", "--output", output, "."]


async def scanner() -> dagger.Container:
    """Semgrep with the rules that ship. Raises steps.CannotRunError."""
    base = await steps.installed(steps.with_tools(steps.python(), "semgrep"), "semgrep")
    base = base.with_env_variable("SEMGREP_ENABLE_VERSION_CHECK", "0").with_env_variable("SEMGREP_SEND_METRICS", "off")
    base = base.with_env_variable("PATH", f"{steps.TOOLS}/bin:/usr/local/bin:/usr/bin:/bin")
    for name, text in rules().items():
        base = base.with_new_file(f"{_RULES}/{name}", text)
    return base


async def code(project: Project) -> Scanned:
    """The rules for code, and the project's own."""
    ours = tuple(path for path in everything() if path != f"{_RULES}/{_FOR_SECRETS}")
    config = project.config.scan
    return await _scan(CODE, await scanner(), (*ours, *config.rules), project.source, config, config.exclude)


async def secrets(project: Project) -> Scanned:
    """The rules for secrets, over files that others leave out."""
    source = project.source.with_new_file(".semgrepignore", _EVERYTHING)
    return await secrets_in(source, project.config.scan, project.config.scan.exclude)


async def secrets_in(folder: dagger.Directory, config: ScanConfig, exclude: Sequence[str] = ()) -> Scanned:
    """The rules for secrets, over any folder. Raises steps.CannotRunError."""
    return await _scan(SECRETS, await scanner(), (f"{_RULES}/{_FOR_SECRETS}",), folder, config, exclude)


async def packs(project: Project) -> Scanned:
    """The packs of Semgrep's registry, when it answers."""
    config, names = project.config.scan, project.config.scan.packs
    away = await scanned.reach(PACKS, [_REGISTRY + name for name in names])
    if away:
        return away
    base = scanned.fresh(await scanner(), config)
    return await _scan(PACKS, base, names, project.source, config, config.exclude)


async def _scan(
    name: str, base: dagger.Container, configs: Sequence[str], source: dagger.Directory, config: ScanConfig,
    exclude: Sequence[str],
) -> Scanned:  # fmt: skip
    output = f"{steps.REPORTS}/{name}.sarif"
    tool = Tool(name, _reader(name), f"{name}.sarif", shown=without_code)
    words = command(configs, output, exclude, **({"largest": _LARGEST} if name == SECRETS else {}))
    mounted = base.with_mounted_directory(steps.SOURCE, source)
    return await scanned.run(tool, mounted, words, output, config.timeout)


def without_code(text: str) -> str:
    """Semgrep's SARIF without the lines that it cites, for those of a secret are the secret."""

    def kept(node: object) -> object:
        if isinstance(node, dict):
            return {key: kept(value) for key, value in node.items() if key not in {"snippet", "contextRegion"}}
        return [kept(value) for value in node] if isinstance(node, list) else node

    return json.dumps(kept(json.loads(text)), indent=2, ensure_ascii=False) + "\n"


def _reader(name: str) -> scanned.Reader:
    """Our rules' names come without the folder that Semgrep puts before them."""

    def read(text: str) -> Said:
        check(text, name)
        try:
            said = READERS[name](text) if name in READERS else Said(tuple(sarif.read(text, name)))
            return bounded(replace(said, missing=_unseen(text)), name)
        except (AttributeError, KeyError, TypeError, RecursionError) as error:
            raise unreadable(name, f"{error!r}"[:300]) from None

    return read


def _unseen(text: str) -> str:
    """What Semgrep noted that it gave up on: a file that took too long, or too much memory."""
    notes = [
        note
        for run in json.loads(text)["runs"]
        for invocation in run.get("invocations", [])
        for note in invocation.get("toolExecutionNotifications", [])
        if note.get("descriptor", {}).get("id") not in _SYNTAX
    ]
    first = notes[0].get("message", {}).get("text", "") if notes else ""
    return f"semgrep gave up on {len(notes)} files: {' '.join(first.split())[:300]}" if notes else ""
