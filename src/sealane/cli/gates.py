"""`sealane gates`: the gates of a report that is there, by today's configuration; nothing is run."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.cli import own
from sealane.cli.options import Options, strip
from sealane.errors import PipelineFailed, ReportUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealane.config import Config
    from sealane.gates import Gate
    from sealane.report import RunReport

BASELINE = "sealane-baseline.json"
_MARKS = {"passed": "✔", "warning": "!", "failed": "✘", "accepted": "✔", "not measured": "○"}


def run(options: Options, words: list[str]) -> int:
    _, words = strip(options, words)
    arguments = _parser().parse_args(words)
    project: Path = arguments.source or own.project()
    config = read_config(project)
    reports = [read_report(Path(each)) for each in arguments.report or ["out"]]
    report = reports[0] if len(reports) == 1 else together(reports, config.stages)
    if arguments.write_baseline is not None:
        return _write(report, config, project, arguments.write_baseline or _stored(config) or BASELINE)
    gates = judged(report, config, project, arguments.baseline)
    if arguments.json:
        rows = [{**asdict(gate), "verdict": gate.verdict.value} for gate in gates]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(table(gates))
    failed = sum(gate.verdict.value == "failed" for gate in gates)
    if failed:
        raise PipelineFailed(f"{failed} of {len(gates)} gates failed", reason="gates-failed")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "sealane gates",
        description="Judge a report again by the present configuration (thresholds, baseline, waivers). Runs nothing.",
    )
    parser.add_argument(
        "report", nargs="*",
        help="the folder with the report's run.json (default: out); several, of one stage each, are one whole run",
    )  # fmt: skip
    parser.add_argument("--source", type=Path, metavar="DIR", help="the project whose configuration holds")
    parser.add_argument("--baseline", metavar="FILE", help="this baseline instead of the configuration's")
    parser.add_argument(
        "--write-baseline", nargs="?", const="", metavar="FILE",
        help=f"write the report's findings as the baseline (default: gates.baseline, else {BASELINE}); judge nothing",
    )  # fmt: skip
    parser.add_argument("-j", "--json", action="store_true", help="the rows as JSON")
    return parser


def read_config(project: Path) -> Config:
    """The configuration of a project on this machine. Raises ConfigError."""
    from sealane.config.read import parse

    return parse(_text(project / "pyproject.toml"), _text(project / "sealane.toml"))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ReportUnreadable(f"{path} can't be read: {error}", hint="Mend the file.") from None


def read_report(folder: Path) -> RunReport:
    from pydantic import ValidationError

    from sealane.report import RunReport

    path = folder / "run.json" if folder.suffix != ".json" else folder
    text = _text(path)
    if text is None:
        raise ReportUnreadable(
            f"there is no report of a run: {path}",
            reason="no-report",
            hint="Name the folder that `sealane call pipeline` wrote (-o, by default out).",
        )
    try:
        return RunReport.model_validate_json(text)
    except ValidationError as error:
        raise ReportUnreadable(f"{path} is no report of a run: {error.errors()[0]['msg']}") from None


def together(reports: Sequence[RunReport], wanted: Sequence[str]) -> RunReport:
    """One whole run of the reports of its stages. A stage that none of them tells of is no run that could be judged."""
    stages = [stage for report in reports for stage in report.stages]
    names = [stage.name for stage in stages]
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name in wanted if name not in names]
    if twice or missing:
        said = f"two reports tell of {', '.join(twice)}" if twice else f"no report tells of {', '.join(missing)}"
        raise ReportUnreadable(
            f"these are not the reports of one run: {said}",
            reason="not-one-run",
            hint="Name the folder of each stage's job once.",
        )
    narrowed = next((report.narrowed for report in reports if report.narrowed is not None), None)
    stages.sort(key=lambda stage: wanted.index(stage.name) if stage.name in wanted else len(wanted))
    # a baseline that one of them could not read is none for all
    then = sorted((gate for report in reports for gate in report.gates), key=lambda gate: gate.verdict != "failed")
    passed = all(report.passed for report in reports)
    changed = {"stages": stages, "gates": then, "whole": True, "narrowed": narrowed, "passed": passed}
    return reports[0].model_copy(update=changed)


def judged(report: RunReport, config: Config, project: Path, baseline: str | None = None) -> Sequence[Gate]:
    from sealane.config.gates import MERGE_BASE
    from sealane.gates import again, policy

    gates = config.gates if baseline is None else config.gates.model_copy(update={"baseline": baseline})
    if gates.baseline == MERGE_BASE:
        return again.judge(report, gates, again.of_that_day(report, gates))[1]
    where = Path(baseline) if baseline is not None else project / (gates.baseline or "")
    text = _text(where) if gates.baseline is not None else None
    return again.judge(report, gates, policy.of(gates, text))[1]


def _stored(config: Config) -> str:
    """The file that the configuration names as its baseline."""
    from sealane.config.gates import MERGE_BASE

    return config.gates.baseline if config.gates.baseline not in {None, MERGE_BASE} else ""


def _write(report: RunReport, config: Config, project: Path, name: str) -> int:
    from sealane.gates import again, baseline

    if report.narrowed is not None:
        raise ReportUnreadable(
            f"this report tells only of what changed since {report.narrowed.since}: as a baseline it would lack the rest",
            reason="narrowed",
            hint="Run the pipeline without --changed-since, and write the baseline from that report.",
        )
    findings = [finding for result in again.results(report) for finding in result.findings]
    path = project / name
    path.write_text(baseline.write(findings), encoding="utf-8")
    known = len({f.fingerprint for f in findings if f.fingerprint and f.rule})
    print(f"Wrote {known} findings to {path}.")
    if config.gates.baseline != name:
        print(f'Say `baseline = "{name}"` in [tool.sealane.gates], and only new ones count.')
    return 0


def table(gates: Sequence[Gate]) -> str:
    """One line for each gate: name, verdict, what was measured, and where to look when it is not good."""
    width = max((len(gate.name) for gate in gates), default=0)
    lines = []
    for gate in gates:
        said = gate.measured or gate.detail
        look = f"  → {gate.look}" if gate.look and gate.verdict.value in {"failed", "warning"} else ""
        row = f"{_MARKS[gate.verdict.value]} {gate.name:<{width}}  {gate.verdict.value}{f': {said}' if said else ''}"
        lines.append(row + look)
    return "\n".join(lines) + "\n"
