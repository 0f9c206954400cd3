"""What one scanner comes back with, and how it is run to its end: within its time, and with its report read in bounds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio
import dagger
from dagger import dag

from sealane.errors import ReportUnreadable
from sealane.findings.scanners import LARGEST, Said
from sealane.findings.scanners.common import unreadable
from sealane.stages import steps

if TYPE_CHECKING:
    from sealane.config.stages import ScanConfig
    from sealane.findings import Finding

Mounting = Callable[["dagger.Container"], "dagger.Container"]
Reader = Callable[[str], Said]
LOGS = "logs/scan"
_LONGEST_LOG = 1024 * 1024  # characters; what a tool says at the end tells why it ended
_PATIENCE = 10  # seconds for a service's first answer
_GRACE = 60  # seconds beyond a scanner's own, for a step that its `timeout` can't end


@dataclass(frozen=True, slots=True)
class Scanned:
    """`wrong` says why the scanner did not look, or not at everything; empty means that it did. There may be findings
    all the same. `idle` says why there was nothing to look at. `notes` are lines for the reader. `read` is whether the
    report could be read, and is in `report`.
    """

    name: str
    findings: tuple[Finding, ...] = ()
    report: dagger.Directory | None = None
    wrong: str = ""
    idle: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    read: bool = False

    def with_figures(self, figures: Mapping[str, float]) -> Scanned:
        return replace(self, figures={**self.figures, **figures})


@dataclass(frozen=True, slots=True)
class Tool:
    """A scanner's name, how its report is read, and the name it is handed on by.

    `found` is the exit code by which the tool says that it found something; 0 is the better choice where there is one.
    A line of its log that `complains` says that it did not look at everything, whatever its exit code says. `shown`
    makes what is handed on of a report that may hold secrets.
    """

    name: str
    reader: Reader
    report: str
    found: int = 0
    complains: re.Pattern[str] | None = None
    shown: Callable[[str], str] | None = None

    def complaint(self, said: str) -> str:
        lines = [line.strip() for line in said.splitlines() if self.complains and self.complains.search(line)]
        return f"{self.name} says: {lines[0][:500]}" if lines else ""


async def run(
    tool: Tool, container: dagger.Container, words: Sequence[str], output: str, seconds: int, *, stdout: bool = False
) -> Scanned:
    """Run a scanner that writes `output` (with `stdout`: that prints it). Whatever it does instead is *not scanned*.

    A failure is never kept: a service that was away for a minute would stay away.
    """
    limited = ["timeout", "-k", "10", str(seconds), *words]
    if tool.found:  # two exit codes are good: the step may "fail", so the engine must not keep it
        container = container.with_env_variable("SEALANE_ASKED", str(time.time_ns()))
    try:
        with anyio.fail_after(seconds + _GRACE):
            done = await steps.attempt(container, limited, stdout=output if stdout else "", keep=bool(tool.found))
    except TimeoutError:
        return Scanned(tool.name, wrong=f"{tool.name} did not end within {seconds + _GRACE} s")
    except dagger.QueryError as error:
        return Scanned(tool.name, wrong=f"{tool.name} did not run: {steps.reason_of(error)}")
    report = log(tool.name, done.stderr if stdout else done.output)
    if done.exit_code not in {0, tool.found}:
        return Scanned(tool.name, report=report, wrong=ended(tool.name, done, seconds))
    file = done.container.file(output)
    try:
        text = await text_of(file, tool.name)
        said = tool.reader(text)
    except ReportUnreadable as error:
        why = f": {ended(tool.name, done, seconds)}" if done.exit_code else ""  # it found something, or it broke down
        return Scanned(tool.name, report=report, wrong=error.message + why)
    missing = "; ".join(filter(None, (said.missing, tool.complaint(done.output))))
    shown = report.with_new_file(tool.report, tool.shown(text)) if tool.shown else report.with_file(tool.report, file)
    return Scanned(tool.name, said.findings, shown, missing, read=True)


async def ready(name: str, container: dagger.Container, seconds: int) -> dagger.Container | Scanned:
    """The container of a scanner, once it is there; else *not scanned*, with why it can't be had."""
    try:
        with anyio.fail_after(seconds):
            return await steps.installed(container, name)
    except TimeoutError:
        return Scanned(name, wrong=f"{name} can't be had: it was not there within {seconds} s")
    except steps.CannotRunError as error:
        return Scanned(name, wrong=error.message, report=log(name, error.log))


async def reach(name: str, urls: Sequence[str]) -> Scanned | None:
    """*Not scanned*, when a service does not answer: some tools wait for theirs without end, and all start slowly.

    It is asked anew each time, so that nothing is missed once it is back.
    """
    base = steps.python().with_new_file("/sealane/reach.py", steps.script("reach.py"))
    base = base.with_env_variable("SEALANE_ASKED", str(time.time_ns()))
    asked = await steps.attempt(base, ["python", "/sealane/reach.py", str(_PATIENCE), *urls], keep=False)
    if not asked.exit_code:
        return None
    said = steps.last_lines(asked.output, 1)
    return Scanned(name, report=log(name, asked.output), wrong=f"{name} can't reach its service: {said}")


def fresh(container: dagger.Container, config: ScanConfig) -> dagger.Container:
    """For scanners that ask a database: what it said is kept for `scan.fresh` seconds, and is asked anew after that."""
    return container.with_env_variable("SEALANE_ASKED", str(int(time.time() // config.fresh)))


async def text_of(file: dagger.File, name: str) -> str:
    """A report's text, asked for only when it is of a size that a report has. Raises ReportUnreadable."""
    try:
        size = await file.size()
        if size <= LARGEST:
            return await file.contents()
    except dagger.QueryError as error:
        raise unreadable(name, steps.reason_of(error)) from None
    raise unreadable(name, f"it has {size} bytes, more than {LARGEST}")


def log(name: str, text: str) -> dagger.Directory:
    """A report of one file: what the tool printed, or the end of it."""
    return dag.directory().with_new_file(f"{LOGS}/{name}.txt", text[-_LONGEST_LOG:] + "\n")


def ended(name: str, done: steps.Executed, seconds: int) -> str:
    """Why a tool's exit code means that it did not scan."""
    if done.exit_code == 124:
        return f"{name} was stopped after {seconds} s (scan.timeout)"
    if done.exit_code in {128 + 9, -9}:
        return f"{name} was killed"
    said = steps.last_lines(done.output, 1)[:500]
    if steps.offline(done.output):
        return f"{name} has no network: {said}"
    return f"{name} exited with {done.exit_code}: {said}"
