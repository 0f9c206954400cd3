"""A run as text: Markdown for `summary.md` and pull requests, and for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane.report.model import GateRow, RunReport, StageRow

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 20
_MARKS = {"ran": "✔", "failed": "✘", "skipped": "-", "not run": "○"}
_GATE_MARKS = {"passed": "✔", "warning": "!", "failed": "✘", "accepted": "✔", "not measured": "○"}
_UNITS = ("ms", "rps")
_ORIGINS = {
    "store": "from the local store",
    "registry": "from the registry",
    "catalog": "built here from Debian packages, since the registry could not be reached",
}


def _outcome(row: StageRow) -> str:
    if row.outcome == "skipped":
        return f"skipped because {row.reason}"
    return f"{row.outcome} ({row.reason})" if row.reason else row.outcome


def figure(name: str, value: float) -> str:
    """A figure in words: `90 tests`, and one whose name ends with its unit as `response p50 21 ms`."""
    if name == "image bytes":
        return f"{value / 1e6:.0f} MB image"
    if name == "coverage":
        return f"coverage {value:g} %"
    what, _, unit = name.rpartition(" ")
    return f"{what} {value:g} {unit}" if unit in _UNITS else f"{value:g} {name}"


def _figures(row: StageRow) -> str:
    parts = [figure(name, value) for name, value in row.figures.items()]
    if row.verdict == "cached":
        parts.append("cached")
    return ", ".join(parts)


def _problems(row: StageRow) -> Iterator[str]:
    """What a reader must know of a stage, worst first, one line each."""
    order = {"high": 0, "medium": 1, "low": 2}
    counting = [finding for finding in row.findings if not finding.known and not finding.waived]
    for finding in sorted(counting, key=lambda f: order[f.severity]):
        place = f"{finding.file}:{finding.line}: " if finding.line else f"{finding.file}: " if finding.file else ""
        yield f"{place}{finding.message} [{' '.join(filter(None, (finding.tool, finding.rule)))}, {finding.severity}]"
    for test in row.tests:
        if test.outcome in {"failed", "error"}:
            place = f" ({test.file}:{test.line})" if test.line else ""
            yield f"{test.name}{place}: {test.message}"


def stage_lines(row: StageRow) -> list[str]:
    """The problems and notes of one stage."""
    problems = list(_problems(row))
    lines = problems[:_SHOWN]
    if len(problems) > _SHOWN:
        lines.append(f"… and {len(problems) - _SHOWN} more in run.json")
    return lines + row.notes


def markdown(report: RunReport, *, steps: bool = True) -> str:
    """The summary: a table of stages, a table of gates, what is wrong; with `steps`, what the engine told."""
    lines = [f"# {_title(report)}", "", *narrowed(report)]
    lines += ["| stage | outcome | figures | seconds |", "| --- | --- | --- | ---: |"]
    lines += [
        f"| {_MARKS[r.outcome]} {r.name} | {_cell(_outcome(r))} | {_figures(r)} | {r.seconds:.1f} |"
        for r in report.stages
    ]
    lines += ["", "| gate | verdict |", "| --- | --- |"]
    lines += [f"| {_GATE_MARKS[g.verdict]} {g.name} | {_cell(_gate(g))} |" for g in report.gates]
    for row in report.stages:
        said = stage_lines(row)
        if said:
            lines += ["", f"## {row.name}", "", *_bullets(said)]
    if steps:
        lines += _engine(report)
    return "\n".join(lines) + "\n"


def _title(report: RunReport) -> str:
    what = report.stages[0].name if len(report.stages) == 1 else "pipeline"
    return f"{what} {'passed' if report.passed else 'failed'}".capitalize()


def narrowed(report: RunReport) -> list[str]:
    """That a run looked only at what changed: lines before all others."""
    row = report.narrowed
    if row is None:
        return []
    gone = f", {len(row.removed)} are gone" if row.removed else ""
    said = f"Narrowed to what changed since {row.since} ({row.commit[:12]}): {len(row.changed)} files{gone}."
    return [said if row.changed or row.removed else f"Nothing changed since {row.since} ({row.commit[:12]}).", ""]


def _bullets(said: list[str]) -> Iterator[str]:
    for text in said:
        first, _, rest = text.partition("\n")
        yield f"- {first}"
        if rest:
            yield from ("", "  ```", *(f"  {line}" for line in rest.splitlines()), "  ```", "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _gate(gate: GateRow) -> str:
    return f"{gate.verdict}: {gate.detail}" if gate.detail else gate.verdict


def _engine(report: RunReport) -> list[str]:
    """Steps and base images, or that this engine doesn't tell of them."""
    lines = ["", "## Steps and images", ""]
    if not report.engine.events:
        return [*lines, "This engine tells neither which steps were cached nor where its base images came from."]
    if any(row.steps for row in report.stages):
        lines += ["| stage | step | verdict | key | seconds |", "| --- | --- | --- | --- | ---: |"]
    for row in report.stages:
        for step in row.steps:
            verdict = step.verdict if not step.exit_code else f"{step.verdict}, exit {step.exit_code}"
            name = _cell(step.name)[:80]
            lines.append(f"| {row.name} | `{name}` | {verdict} | `{step.key[:19]}` | {step.seconds:.1f} |")
    if report.images:
        lines += ["", *(f"- `{image.ref}`: {_ORIGINS[image.origin]}" for image in report.images)]
    if report.engine.warnings:
        lines += ["", *(f"- warning: {text}" for text in report.engine.warnings)]
    return lines


def terminal(report: RunReport) -> str:
    """The summary in aligned lines, without markup."""
    lines = []
    for row in report.stages:
        figures = _figures(row)
        tail = f"  {figures}" if figures else ""
        lines.append(f"{_MARKS[row.outcome]} {row.name:<6} {_outcome(row)}{tail}  {row.seconds:.1f}s")
        if not row.passed:
            lines += [f"    {line}" for text in stage_lines(row) for line in text.splitlines()]
    lines.append("")
    lines += [f"{_GATE_MARKS[g.verdict]} {g.name}: {_gate(g)}" for g in report.gates if g.verdict != "passed"]
    lines += narrowed(report)[:1]
    lines.append(f"{_title(report)} in {report.seconds:.1f}s")
    return "\n".join(lines) + "\n"
