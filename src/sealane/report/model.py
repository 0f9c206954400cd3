"""`run.json`: the one documented schema of a run. Pydantic models only."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FindingRow(Row):
    """One thing that a tool says; `line` is 1-based, 0 when the tool gave none.

    `fingerprint` stays when the line moves. One that is `known` to the baseline or `waived` (by whom, till when)
    counts in no gate.
    """

    tool: str
    rule: str = ""
    severity: Literal["high", "medium", "low"]
    message: str
    file: str = ""
    line: int = 0
    fix: str = ""
    fingerprint: str = ""
    known: bool = False
    waived: str = ""


class TestRow(Row):
    """One test that did not pass (passed ones are in the JUnit reports), with the end of its output."""

    __test__: ClassVar[bool] = False  # not a pytest class

    suite: str
    name: str
    outcome: Literal["passed", "failed", "error", "flaky", "skipped", "not run"]
    message: str = ""
    file: str = ""
    line: int = 0
    seconds: float = 0.0
    output: str = ""


class SuiteRow(Row):
    """How many of a suite's tests ended how. `not_run` is why none of them could be run here."""

    name: str
    tests: int
    failed: int
    skipped: int
    flaky: int = 0
    seconds: float
    not_run: str = ""


class CoverageRow(Row):
    """One file: lines with code, those that ran, and those that did not (`3, 7-9`). `percent` counts branches too."""

    file: str
    percent: float
    lines: int
    covered: int
    missing: str = ""


class StepRow(Row):
    """One command inside a stage, as the engine saw it. `seconds` is 0 for a cached one; `log` is a path in the report.

    `start` is seconds from the run's beginning.
    """

    name: str
    verdict: Literal["cached", "ran"]
    key: str
    start: float | None = None
    seconds: float = 0.0
    exit_code: int | None = None
    log: str = ""


class StageRow(Row):
    """One stage. `steps` is empty when the engine tells nothing of them; `verdict` is `cached` when all of them were.

    `excused` is why a stage that passes would have failed, had its findings counted.
    """

    name: str
    outcome: Literal["ran", "failed", "skipped", "not run"]
    reason: str = ""
    excused: str = ""
    passed: bool
    start: float | None = None
    seconds: float
    figures: dict[str, float] = {}
    outputs: dict[str, str] = {}
    notes: list[str] = []
    findings: list[FindingRow] = []
    tests: list[TestRow] = []
    suites: list[SuiteRow] = []
    coverage: list[CoverageRow] = []
    steps: list[StepRow] = []
    verdict: Literal["cached", "ran", "unknown"] = "unknown"


class GateRow(Row):
    """One rule: what was measured against which threshold, and where to look: a stage, or `findings`."""

    name: str
    verdict: Literal["passed", "warning", "failed", "accepted", "not measured"]
    detail: str = ""
    measured: str = ""
    threshold: str = ""
    look: str = ""


class ImageRow(Row):
    """A base image and where it came from: the local store, a registry, or built here from Debian packages."""

    ref: str
    origin: Literal["store", "registry", "catalog"]
    digest: str = ""


class EngineRow(Row):
    """What the engine told. `events` is false on engines that don't: then there are no steps and no images."""

    events: bool = False
    warnings: list[str] = []


class NarrowedRow(Row):
    """What a run was narrowed to: the files other than in `commit`, where the tree and `since` part."""

    since: str
    commit: str
    changed: list[str]
    removed: list[str] = []


class RunReport(Row):
    """A run: its stages in the graph's order, the gates over them, and the base images it used.

    `whole` is false for one stage alone, which has no gates over figures and counts. One that is `narrowed` looked only
    at what changed: nothing may be published by it.
    """

    version: Literal[1] = Field(default=1, description="The version of this schema.")
    passed: bool
    whole: bool = True
    narrowed: NarrowedRow | None = None
    started: str = Field(description="UTC, ISO 8601.")
    seconds: float
    stages: list[StageRow]
    gates: list[GateRow]
    images: list[ImageRow] = []
    engine: EngineRow = EngineRow()


def schema() -> dict[str, object]:
    """The JSON schema of `run.json`."""
    return RunReport.model_json_schema()
