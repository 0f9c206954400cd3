"""One finding and one test result, whatever tool they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad. Gates count HIGH; a style finding is never more than LOW."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class TestOutcome(StrEnum):
    """FLAKY failed, and passed when it was tried again. NOT_RUN stands for a whole suite that could not be had."""

    __test__ = False  # not a pytest class

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    FLAKY = "flaky"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a tool says. `file` is relative to the project; `line` is 1-based, 0 when the tool gave none.

    `fix` is what to do, when the tool says it. `fingerprint` names the finding wherever its line moves (see
    `findings.fingerprint`). A finding that is `known` to the baseline, or `waived` (the words say by whom), counts in
    no gate.
    """

    tool: str
    rule: str
    severity: Severity
    message: str
    file: str = ""
    line: int = 0
    fix: str = ""
    fingerprint: str = ""
    known: bool = False
    waived: str = ""

    @property
    def counts(self) -> bool:
        return not (self.known or self.waived)

    @property
    def place(self) -> str:
        if not self.file:
            return ""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return (
            f"{where}{self.message} [{self.tool} {self.rule}]" if self.rule else f"{where}{self.message} [{self.tool}]"
        )


@dataclass(frozen=True, slots=True)
class Test:
    """One test's result. `file` and `line` are where it failed, when the report says so; `output` is what it printed."""

    __test__ = False  # not a pytest class

    suite: str
    name: str
    outcome: TestOutcome
    message: str = ""
    file: str = ""
    line: int = 0
    seconds: float = 0.0
    output: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome in {TestOutcome.FAILED, TestOutcome.ERROR}

    def __str__(self) -> str:
        where = f" ({self.file}:{self.line})" if self.file and self.line else ""
        return f"{self.name}{where}: {self.message}" if self.message else f"{self.name}{where}"
