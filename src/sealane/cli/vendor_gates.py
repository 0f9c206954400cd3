"""The last job of a split run: the reports of its stages' jobs put together, and the gates over them judged."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sealane.errors import PipelineFailed, ReportUnreadable, UsageError
from sealane.vendors.context import tracked
from sealane.vendors.rules import Work
from sealane.vendors.shape import GATES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sealane.report.model import RunReport


def checked(only: str) -> str:
    """What a job is for: a stage, `security`, `gates`, or all of it (empty). Raises UsageError (`no-such-stage`)."""
    from sealane.pipeline import BY_NAME

    known = [*BY_NAME, Work.SECURITY.value, GATES]
    if only and only not in known:
        raise UsageError(
            f"there is no stage {only!r}", reason="no-such-stage", hint=f"--only takes {', '.join(known)}."
        )
    return only


def stops(stage: str, out: Path) -> str:
    """The stage that did not pass though this one needs it; empty where none did, or none's report is at hand.

    A vendor whose jobs have needs never asks for such a job; where they run one after the other, this is what stops it.
    """
    from sealane.cli.gates import read_report
    from sealane.pipeline import BY_NAME

    needs = BY_NAME[stage].needs if stage in BY_NAME else ()
    return next((n for n in needs if (out / n / "run.json").is_file() and not read_report(out / n).passed), "")


def judge(out: Path, project: Path) -> int:
    """Judge what lies in the folders below `out`, one for each job, and write the whole run's report beside them.

    A stage without a report reads *not run*, which no gate takes for passed. Raises ReportUnreadable (`no-report`,
    `planted-report`, `not-one-run`), PipelineFailed (`gates-failed`).
    """
    from sealane.cli import gates
    from sealane.report.build import gate_row
    from sealane.report.text import markdown

    planted = tracked(out)
    if planted:
        raise ReportUnreadable(
            f"the repository itself has {planted}, which would pass for a report of this run",
            reason="planted-report",
            hint=f"Take the folder {out} out of the repository, and name it in .gitignore.",
        )
    (out / "run.json").unlink(missing_ok=True)  # of an earlier run: not this one's
    config = gates.read_config(project)
    reports = [gates.read_report(path.parent) for path in sorted(out.glob("*/run.json"))]
    if not reports:
        raise ReportUnreadable(
            f"no job left a report: there is no {out}/*/run.json",
            reason="no-report",
            hint="Look at the logs of the stages' jobs, and at how their reports come to this one.",
        )
    report = gates.together([*reports, *_missing(reports, config.stages)], config.stages)
    judged = gates.judged(report, config, project)
    sys.stdout.write(gates.table(judged))
    failed = sum(gate.verdict.value == "failed" for gate in judged)
    whole = report.model_copy(update={"gates": [gate_row(gate) for gate in judged], "passed": not failed})
    (out / "run.json").write_text(whole.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (out / "summary.md").write_text(markdown(whole), encoding="utf-8")
    if failed:
        raise PipelineFailed(f"{failed} of {len(judged)} gates failed", reason="gates-failed")
    return 0


def _missing(reports: Sequence[RunReport], wanted: Sequence[str]) -> list[RunReport]:
    from sealane.report.model import StageRow

    told = {stage.name for report in reports for stage in report.stages}
    rows = [
        StageRow(name=name, outcome="not run", reason="its job left no report", passed=False, seconds=0)
        for name in wanted
        if name not in told
    ]
    return [reports[0].model_copy(update={"stages": [row], "gates": [], "passed": False}) for row in rows]
