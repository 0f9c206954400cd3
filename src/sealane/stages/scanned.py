"""What one scanner of the stage scan comes back with, and how its report is taken out of a container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dagger import QueryError, dag

from sealane.findings.scanners import LARGEST
from sealane.findings.scanners.common import unreadable
from sealane.stages import steps

if TYPE_CHECKING:
    import dagger

    from sealane.findings import Finding

LOGS = "logs/scan"


@dataclass(frozen=True, slots=True)
class Scanned:
    """`wrong` says why the scanner did not look, or not at everything; empty means that it did. There may be findings
    all the same. `idle` says why there was nothing to look at.
    """

    name: str
    findings: tuple[Finding, ...] = ()
    report: dagger.Directory | None = None
    wrong: str = ""
    idle: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


async def text_of(file: dagger.File, name: str) -> str:
    """A report's text, asked for only when it is of a size that a report has. Raises ReportUnreadable."""
    try:
        size = await file.size()
        if size <= LARGEST:
            return await file.contents()
    except QueryError as error:
        raise unreadable(name, steps.reason_of(error)) from None
    raise unreadable(name, f"it has {size} bytes, more than {LARGEST}")


def log(name: str, text: str) -> dagger.Directory:
    """A report of one file: what the tool printed."""
    return dag.directory().with_new_file(f"{LOGS}/{name}.txt", text + "\n")


def ended(name: str, done: steps.Executed, seconds: int) -> str:
    """Why a tool's exit code means that it did not scan."""
    if done.exit_code == 124:
        return f"{name} was stopped after {seconds} s (scan.timeout)"
    return f"{name} exited with {done.exit_code}: {steps.last_lines(done.output, 1)}"
