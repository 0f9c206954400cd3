"""The gates: each stage's own verdict, bounds of figures, counts of findings, and whether waivers and baseline hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sealane.config.gates import ComplexityConfig, Threshold
from sealane.findings import Severity, quality
from sealane.stages.result import Outcome, StageResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealane.config.gates import GatesConfig, Waiver
    from sealane.findings import Finding
    from sealane.gates.policy import Policy

_SCANNERS = ("lint", "scan")
_FINDERS = (*_SCANNERS, "image-scan", "dependency-review", "secrets")
_OF_SECURITY = ("bandit", "zizmor")  # of the linters


class Verdict(StrEnum):
    """WARNING is a bound that holds with its target missed, and passes.

    NOT_MEASURED is a gate without figures: never passed, and no failure of its own (a stage's verdict is).
    """

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    ACCEPTED = "accepted"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Gate:
    """One row: what was `measured` against which `threshold`, and `look`, the stage that says more."""

    name: str
    verdict: Verdict
    detail: str = ""
    measured: str = ""
    threshold: str = ""
    look: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """A row over one figure of a stage: how the row is called, which figure it is, and what that must reach.

    Where a `tool` has a finding at each place that is over the bound, and none of those counts, the bound is excused.
    """

    name: str
    figure: str
    threshold: Threshold
    tool: str = ""


def bounds(config: GatesConfig) -> list[Bound]:
    """The figures that have a threshold of their own in the configuration, in the order of their rows."""
    rows = []
    if config.coverage is not None:
        threshold = Threshold(minimum=config.coverage, target=config.coverage_target, unit="%")
        rows.append(Bound("coverage", "coverage", threshold))
    if config.response is not None:
        rows.append(Bound("average response", "response average ms", Threshold(maximum=config.response, unit="ms")))
    if config.throughput is not None:
        rows.append(Bound("throughput", "throughput rps", Threshold(minimum=config.throughput, unit="rps")))
    measures = (
        (quality.CYCLOMATIC, config.complexity.cyclomatic, "", "lizard"),
        (quality.COGNITIVE, config.complexity.cognitive, "", "complexipy"),
        (quality.DUPLICATION, config.duplication, "%", "jscpd"),
    )
    for name, most, unit, tool in measures:
        if most is not None:
            rows.append(Bound(name, name, Threshold(maximum=most, unit=unit), tool))
    return rows


def without_bounds(config: GatesConfig) -> GatesConfig:
    """For one stage alone: neither bounds nor counts, which are a whole run's."""
    counts: dict[str, Any] = {
        "coverage": None,
        "response": None,
        "throughput": None,
        "high": None,
        "medium": None,
        "complexity": ComplexityConfig(cyclomatic=None, cognitive=None),
        "duplication": None,
        "figures": {},
    }
    return config.model_copy(update=counts)


def evaluate(
    results: Sequence[StageResult], config: GatesConfig, policy: Policy | None = None, *, whole: bool = True
) -> tuple[Gate, ...]:
    """All rows. `whole` is false for one stage alone, which can't tell whether a waiver or the baseline is stale."""
    gates = [_stage(result, config.accept) for result in results]
    for bound in bounds(config):
        gates += _figure(bound, results)
    if config.high is not None:
        name = "no high finding" if config.high == 0 else f"high findings ≤ {config.high}"
        gates.append(_count(name, results, Severity.HIGH, config.high))
    if config.medium is not None:
        gates.append(_count(f"medium findings ≤ {config.medium}", results, Severity.MEDIUM, config.medium))
    for name, threshold in config.figures.items():
        gates += _figure(Bound(name, name, threshold), results)
    if policy is not None and config.baseline is not None:
        gates.append(_baseline(results, policy, whole=whole))
    if policy is not None and policy.waivers:
        gates.append(_waivers(results, policy, whole=whole))
    return tuple(gates)


def accepted(result: StageResult, accept: dict[str, str]) -> bool:
    """Whether the configuration lets this stage's not having run pass, by name."""
    return result.outcome is Outcome.NOT_RUN and result.broken and result.stage in accept


def _stage(result: StageResult, accept: dict[str, str]) -> Gate:
    name = f"{result.stage} passes"
    if accepted(result, accept):
        detail = f"{result.verdict}; accepted: {accept[result.stage]}"
        return Gate(name, Verdict.ACCEPTED, detail, look=result.stage)
    if result.outcome is Outcome.NOT_RUN and not result.broken:
        return Gate(name, Verdict.NOT_MEASURED, result.verdict, look=result.stage)
    if result.passed:
        return Gate(name, Verdict.PASSED, look=result.stage)
    detail = result.reason if result.outcome is Outcome.FAILED else result.verdict
    return Gate(name, Verdict.FAILED, detail, look=result.stage)


def _figure(row: Bound, results: Sequence[StageResult]) -> list[Gate]:
    """The row of the bound; and one that warns, when the bound holds and the target is missed."""
    bounds = row.threshold
    bound = bounds.minimum if bounds.minimum is not None else bounds.maximum
    sign, unit = "≥" if bounds.minimum is not None else "≤", f" {bounds.unit}" if bounds.unit else ""
    threshold = f"{sign} {bound:g}{unit}"
    name = f"{row.name} {threshold}"
    source = next((r for r in results if row.figure in r.figures), None)
    if source is None:
        return [Gate(name, Verdict.NOT_MEASURED, threshold=threshold)]
    value = source.figures[row.figure]
    said, holds = f"{value:g}{unit}", _within(value, bound, sign)
    gate = Gate(name, Verdict.PASSED if holds else Verdict.FAILED, said, said, threshold, source.stage)
    if not holds and _excused(row, source):
        gate = replace(gate, verdict=Verdict.ACCEPTED, detail=f"{said}; all that is over it is known or waived")
    if not holds or bounds.target is None or _within(value, bounds.target, sign):
        return [gate]
    threshold = f"{sign} {bounds.target:g}{unit}"
    return [gate, Gate(f"{row.name} target {threshold}", Verdict.WARNING, said, said, threshold, source.stage)]


def _excused(row: Bound, result: StageResult) -> bool:
    found = [finding for finding in result.findings if finding.tool == row.tool and finding.rule]
    return bool(found) and not any(finding.counts for finding in found)


def _within(value: float, bound: float | None, sign: str) -> bool:
    """A value that is no number (NaN) is within nothing."""
    return bound is not None and (value >= bound if sign == "≥" else value <= bound)


def _security(results: Sequence[StageResult], severity: Severity) -> list[Finding]:
    """What counts of what lint and scan found. Of lint, bandit and zizmor alone speak of security below high."""
    found = [f for r in results if r.stage in _FINDERS for f in r.findings if f.severity is severity and f.counts]
    if severity is Severity.HIGH:
        return found
    scanned = {id(f) for r in results if r.stage in _FINDERS[1:] for f in r.findings}
    return [f for f in found if f.tool in _OF_SECURITY or id(f) in scanned]


def _count(name: str, results: Sequence[StageResult], severity: Severity, maximum: int) -> Gate:
    scanners = [r for r in results if r.stage in _FINDERS]
    count, threshold = len(_security(results, severity)), f"≤ {maximum}"
    row = (f"{count} found", str(count), threshold, "findings")
    if count > maximum:
        return Gate(name, Verdict.FAILED, *row)
    if not any(r.outcome in {Outcome.RAN, Outcome.FAILED} for r in scanners):
        return Gate(name, Verdict.NOT_MEASURED, "no scanner ran", threshold=threshold)
    return Gate(name, Verdict.PASSED, *row)


def _baseline(results: Sequence[StageResult], policy: Policy, *, whole: bool) -> Gate:
    name = "baseline"
    if policy.baseline is None:
        return Gate(name, Verdict.FAILED, policy.problem, look="findings")
    found = [f for r in results for f in r.findings]
    detail = f"{sum(f.known for f in found)} known, {sum(f.counts for f in found)} new"
    if policy.baseline.origin:
        return Gate(name, Verdict.PASSED, f"{detail} ({policy.baseline.origin})", look="findings")
    if whole and _all_scanned(results):
        fixed = len(policy.baseline.fixed(found))
        detail += f", {fixed} fixed (take the report's baseline.json)" if fixed else ", 0 fixed"
    return Gate(name, Verdict.PASSED, detail, look="findings")


def _waivers(results: Sequence[StageResult], policy: Policy, *, whole: bool) -> Gate:
    """An expired or stale waiver is one to delete: nobody shall trust it."""
    found = [f for r in results for f in r.findings]
    stale = policy.stale(found) if whole and _all_scanned(results) else ()
    wrong = [f"{_named(w)} expired on {w.expires}, its findings count again" for w in policy.expired()]
    wrong += [f"{_named(w)} matches nothing any more" for w in stale]
    if wrong:
        return Gate("waivers", Verdict.FAILED, "; ".join(wrong), look="findings")
    return Gate("waivers", Verdict.PASSED, f"{sum(bool(f.waived) for f in found)} findings waived", look="findings")


def _named(waiver: Waiver) -> str:
    what = waiver.fingerprint or f"{waiver.rule} in {waiver.path}"
    return (
        f"the waiver of {what} ({waiver.owner}; delete it at {waiver.place})"
        if waiver.place
        else f"the waiver of {what}"
    )


def _all_scanned(results: Sequence[StageResult]) -> bool:
    """Whether lint and scan both looked, so that what they don't find is not there."""
    looked = {r.stage for r in results if r.outcome in {Outcome.RAN, Outcome.FAILED}}
    return looked.issuperset(_SCANNERS)
