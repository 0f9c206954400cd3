"""One tool's share of the stage lint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dagger import dag

from sealane.errors import ReportUnreadable
from sealane.findings import Finding, Severity
from sealane.stages import steps
from sealane.stages.lint.table import Tool, report_of
from sealane.stages.scanners import scanned

if TYPE_CHECKING:
    import dagger

    from sealane.config import Config

LOGS = "logs/lint"


@dataclass(frozen=True, slots=True)
class Part:
    """`clean` is a tool that looked and found nothing; `broken` says why one could not look; `unseen` is one that found
    nothing and did not look at everything, which a note tells.
    """

    tool: str
    clean: bool
    report: dagger.Directory
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    broken: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    unseen: bool = False


def log(name: str, text: str) -> dagger.Directory:
    return dag.directory().with_new_file(f"{LOGS}/{name}.txt", text + "\n")


def cannot_run(name: str, error: steps.CannotRunError) -> Part:
    return Part(name, clean=False, report=log(name, error.log or error.message), broken=error.message)


async def executed(name: str, tool: Tool, container: dagger.Container, words: list[str], config: Config) -> Part:
    """Run a tool to its end, which comes within `lint.timeout`, and read what it says."""
    report = report_of(name, tool)
    path = f"{steps.REPORTS}/{report}"
    limited = ["timeout", "-k", "10", str(config.lint.timeout), *words]
    done = await steps.attempt(container, limited, stdout=path if tool.printed else "")
    directory = log(name, done.stderr if tool.printed else done.output)
    if done.exit_code == 124:
        return Part(
            name, clean=False, report=directory, broken=f"stopped after {config.lint.timeout} s (`lint.timeout`)"
        )
    if done.exit_code in {128 + 9, -9}:
        return Part(name, clean=False, report=directory, broken="killed")
    out = done.stdout
    if report and done.exit_code in tool.exits:
        file = done.container.file(path)
        directory = directory.with_file(report, file)
        try:
            out = await scanned.text_of(file, name)
        except ReportUnreadable as error:
            return Part(name, clean=False, report=directory, broken=error.message)
    if report and done.exit_code not in tool.exits:
        return _crashed(name, done, directory)
    try:
        if tool.measure is not None:
            measured = tool.measure(out, config.gates)
            return Part(name, not measured.findings, directory, measured.findings, figures=measured.figures)
        findings = tuple(dict.fromkeys(tool.read(out, done.stderr)))  # some look at a file for each way to it
    except ReportUnreadable as error:
        return Part(name, clean=False, report=directory, broken=error.message)
    if done.exit_code == 0:  # what a tool says and forgives, a warning of ESLint's, fails nothing
        return Part(name, clean=True, report=directory)
    return Part(name, clean=False, report=directory, findings=findings) if findings else _crashed(name, done, directory)


def _crashed(name: str, done: steps.Executed, directory: dagger.Directory) -> Part:
    said = steps.last_lines(done.output, 5)
    finding = Finding(name, "", Severity.MEDIUM, f"exited with {done.exit_code}: {said}")
    return Part(name, clean=False, report=directory, findings=(finding,))
