"""Semgrep: with the rules that ship with Sealane over the code and over every file, and with the packs of its registry."""

from __future__ import annotations

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

    from sealane.stages.project import Project

CODE, SECRETS, PACKS = "semgrep", "secrets", "semgrep-packs"
_FOR_SECRETS = "secrets.yaml"
_RULES = "/rules"
_REGISTRY = "https://semgrep.dev/c/"
# Semgrep leaves tests and examples out of its own accord. A secret there is as lost as one anywhere.
_EVERYTHING = "node_modules/\n.venv/\n.git/\n"


def rules() -> dict[str, str]:
    """File name → text of the rules that ship with Sealane."""
    folder = resources.files("sealane.stages.rules")
    return {f.name: f.read_text() for f in sorted(folder.iterdir(), key=lambda f: f.name) if f.name.endswith(".yaml")}


def everything() -> tuple[str, ...]:
    """Where the rules that ship are in the scanner's container."""
    return tuple(f"{_RULES}/{name}" for name in rules())


def command(configs: Sequence[str], output: str, exclude: Sequence[str] = ()) -> list[str]:
    """One run of Semgrep over the working directory that sends nothing, and with rules at hand asks nobody."""
    words = ["semgrep", "scan", "--metrics=off", "--disable-version-check", "--no-git-ignore", "--quiet"]
    words += [word for config in configs for word in ("--config", config)]
    words += [word for pattern in exclude for word in ("--exclude", pattern)]
    return [*words, "--sarif", "--output", output, "."]


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
    return await _scan(CODE, await scanner(), (*ours, *project.config.scan.rules), project.source, project)


async def secrets(project: Project) -> Scanned:
    """The rules for secrets, over files that others leave out."""
    source = project.source.with_new_file(".semgrepignore", _EVERYTHING)
    return await _scan(SECRETS, await scanner(), (f"{_RULES}/{_FOR_SECRETS}",), source, project)


async def packs(project: Project) -> Scanned:
    """The packs of Semgrep's registry, when it answers."""
    config, names = project.config.scan, project.config.scan.packs
    away = await scanned.reach(PACKS, [_REGISTRY + name for name in names])
    if away:
        return away
    base = scanned.fresh(await scanner(), config)
    return await _scan(PACKS, base, names, project.source, project)


async def _scan(
    name: str, base: dagger.Container, configs: Sequence[str], source: dagger.Directory, project: Project
) -> Scanned:
    output, config = f"{steps.REPORTS}/{name}.sarif", project.config.scan
    tool = Tool(name, READERS.get(name) or _reader(name), f"{name}.sarif")
    mounted = base.with_mounted_directory(steps.SOURCE, source)
    return await scanned.run(tool, mounted, command(configs, output, config.exclude), output, config.timeout)


def _reader(name: str) -> scanned.Reader:
    """Our rules' names come without the folder that Semgrep puts before them."""

    def read(text: str) -> Said:
        check(text, name)
        try:
            return bounded(Said(tuple(sarif.read(text, name))), name)
        except (AttributeError, RecursionError) as error:
            raise unreadable(name, f"{error!r}"[:300]) from None

    return read
