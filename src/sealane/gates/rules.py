"""The gates: each stage's own verdict, coverage, findings of high severity."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sealane.findings import Severity
from sealane.stages.result import Outcome, StageResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealane.config import GatesConfig


class Verdict(StrEnum):
    """NOT_MEASURED is a gate without figures: never passed, and no failure of its own (a stage's verdict is)."""

    PASSED = "passed"
    FAILED = "failed"
    ACCEPTED = "accepted"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Gate:
    name: str
    verdict: Verdict
    detail: str = ""


def evaluate(results: Sequence[StageResult], config: GatesConfig) -> tuple[Gate, ...]:
    gates = [_stage(result, config.accept) for result in results]
    if config.coverage is not None:
        gates.append(_coverage(results, config.coverage))
    if config.high is not None:
        gates.append(_high(results, config.high))
    return tuple(gates)


def accepted(result: StageResult, accept: dict[str, str]) -> bool:
    """Whether the configuration lets this stage's not having run pass, by name."""
    return result.outcome is Outcome.NOT_RUN and result.broken and result.stage in accept


def _stage(result: StageResult, accept: dict[str, str]) -> Gate:
    name = f"{result.stage} passes"
    if accepted(result, accept):
        return Gate(name, Verdict.ACCEPTED, f"{result.verdict}; accepted: {accept[result.stage]}")
    if result.outcome is Outcome.NOT_RUN and not result.broken:
        return Gate(name, Verdict.NOT_MEASURED, result.verdict)
    if result.passed:
        return Gate(name, Verdict.PASSED)
    return Gate(name, Verdict.FAILED, result.reason if result.outcome is Outcome.FAILED else result.verdict)


def _coverage(results: Sequence[StageResult], minimum: float) -> Gate:
    name = f"coverage ≥ {minimum:g} %"
    figure = next((r.figures["coverage"] for r in results if "coverage" in r.figures), None)
    if figure is None:
        return Gate(name, Verdict.NOT_MEASURED)
    return Gate(name, Verdict.PASSED if figure >= minimum else Verdict.FAILED, f"{figure:g} %")


def _high(results: Sequence[StageResult], maximum: int) -> Gate:
    name = "no high finding" if maximum == 0 else f"high findings ≤ {maximum}"
    scanners = [r for r in results if r.stage in {"lint", "scan"}]
    count = sum(f.severity is Severity.HIGH for r in scanners for f in r.findings)
    if count > maximum:
        return Gate(name, Verdict.FAILED, f"{count} found")
    if not any(r.outcome in {Outcome.RAN, Outcome.FAILED} for r in scanners):
        return Gate(name, Verdict.NOT_MEASURED, "no scanner ran")
    return Gate(name, Verdict.PASSED, f"{count} found")
