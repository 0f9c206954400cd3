"""One run of tests: what it is called, how it ended and what it left behind."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dagger import dag

from sealane.findings import Test, TestOutcome, junit
from sealane.stages import steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import dagger

NAME = "test"
_LOGS = f"logs/{NAME}"
_SENT = re.compile(r"^timeout: sending signal \w+ to command", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Suite:
    """`wrong` is empty when all is well; `broken` when it could not run at all. `slug` names its files."""

    name: str
    ran: bool
    wrong: str = ""
    broken: bool = False
    tests: tuple[Test, ...] = ()
    log: str = ""
    slug: str = ""
    container: dagger.Container | None = None
    notes: tuple[str, ...] = ()
    junit: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    def noting(self, *notes: str) -> Suite:
        return replace(self, notes=(*notes, *self.notes))


def not_run(name: str, reason: str) -> Suite:
    """A suite that this machine can't have: no failure, and never passed."""
    return Suite(name, ran=False, tests=(Test(name, "all tests", TestOutcome.NOT_RUN, reason),))


def bounded(limit: int, command: Sequence[str]) -> list[str]:
    """The command, interrupted at its limit (seconds) so that it can still write its report, and killed 15 s later."""
    return ["timeout", "-v", "-s", "INT", "-k", "15", str(limit), *command]


def ran_out(done: steps.Executed) -> bool:
    """Whether a bounded command reached its limit. Its code alone would not tell: the kernel kills for memory, too."""
    return bool(_SENT.search(done.stderr))


def report(suites: Sequence[Suite]) -> dagger.Directory:
    """What the suites left behind. A container's reports have all that went before it in the same chain."""
    found = dag.directory()
    for suite in suites:
        if suite.container is not None:
            found = found.with_directory("/", suite.container.directory(steps.REPORTS))
    for suite in suites:
        name = suite.slug or suite.name
        if suite.log:
            found = found.with_new_file(f"{_LOGS}/{name}.txt", suite.log + "\n")
        if suite.junit:
            found = found.with_new_file(f"junit-{name}.xml", suite.junit)
    written = {suite.name: suite.junit for suite in suites if suite.junit}
    return found.with_new_file("pytest-report.xml", junit.join(written)) if written else found
