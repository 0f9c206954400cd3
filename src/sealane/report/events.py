"""Adds to a report what only an engine's events know: steps with keys and cache verdicts, their logs, base images."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sealane.errors import ReportUnreadable
from sealane.report import page
from sealane.report.model import EngineRow, ImageRow, RunReport, StageRow, StepRow
from sealane.report.text import markdown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LABEL = "sealane.stage"
# What bounds a tool in time says nothing of what the step is.
_LIMIT = re.compile(r"^timeout (?:-\S+ (?:[A-Z]+ |\d+ )?)*\d+ ")
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
_ORIGINS = {"store", "registry", "catalog"}


@dataclass(slots=True)
class _Step:
    """One step of one stage, while its events are read. It was cached unless something shows that it ran."""

    key: str
    name: str
    ran: bool = False
    begun: float | None = None
    seconds: float = 0.0
    exit_code: int | None = None
    log: list[str] = field(default_factory=list)
    service: bool = False


@dataclass(slots=True)
class _Seen:
    """All events of a run, sorted by what they are about. A step is shared when two stages asked for the same."""

    steps: dict[str, _Step] = field(default_factory=dict)
    stages: dict[str, list[str]] = field(default_factory=dict)
    images: dict[str, ImageRow] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def step(self, event: dict[str, Any]) -> _Step:
        key = str(event.get("key", ""))
        name = str(event.get("command") or event.get("name") or "").removeprefix("withExec ")
        name = _LIMIT.sub("", name)
        step = self.steps.setdefault(key, _Step(key, name))
        step.name = step.name or name
        if step.begun is None and isinstance(event.get("time"), int | float):
            step.begun = float(event["time"])
        stage = event.get("labels", {}).get(LABEL)
        if stage and key not in self.stages.setdefault(stage, []):
            self.stages[stage].append(key)
        return step


def merge_events(out: Path, events: Iterable[dict[str, Any]]) -> RunReport | None:
    """Add `events` (see `sealane_engine.events`) to `out/run.json`, write `out/logs/`, rewrite `out/summary.md` and `report.html`.

    Answers the new report; None when `out` holds no run. Raises ReportUnreadable.
    """
    path = out / "run.json"
    if not path.exists():
        return None
    try:
        report = RunReport.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ReportUnreadable(f"{path} is no report of a run: {error.errors()[0]['msg']}") from None
    seen = _read(events)
    began = datetime.fromisoformat(report.started).timestamp()
    rows = [_stage(row, seen, out, began) for row in report.stages]
    engine = EngineRow(events=True, warnings=list(dict.fromkeys(seen.warnings)))
    report = report.model_copy(update={"stages": rows, "images": list(seen.images.values()), "engine": engine})
    path.write_text(report.model_dump_json(indent=2) + "\n")
    (out / "summary.md").write_text(markdown(report))
    (out / "report.html").write_text(page.render(report))
    return report


def _read(events: Iterable[dict[str, Any]]) -> _Seen:
    seen = _Seen()
    for event in events:
        kind = event.get("kind")
        if kind == "cache":
            seen.step(event)
        elif kind == "step-start":
            step = seen.step(event)
            step.ran, step.begun = True, event.get("time", step.begun)
        elif kind == "step-end":
            step = seen.step(event)
            step.ran = True
            step.seconds = float(event.get("seconds") or 0)
            step.exit_code = event.get("exit_code")
        elif kind == "service-start":
            seen.step(event).service = True
        elif kind == "log":
            seen.step(event).log.append(str(event.get("text", "")))
        elif kind == "image" and event.get("origin") in _ORIGINS:
            ref = str(event.get("ref", ""))
            # The first word is the true one: later requests find the image in the store.
            seen.images.setdefault(
                ref, ImageRow(ref=ref, origin=event["origin"], digest=str(event.get("digest") or ""))
            )
        elif kind == "warning":
            seen.warnings.append(str(event.get("message", "")))
    return seen


def _stage(row: StageRow, seen: _Seen, out: Path, began: float) -> StageRow:
    steps = []
    mine = [seen.steps[key] for key in seen.stages.get(row.name, [])]
    for service in (step for step in mine if step.service):
        _write_log(out, f"logs/{row.name}/service-{_slug(service.name)}.log", service)
    for number, step in enumerate((step for step in mine if not step.service), start=1):
        log = _write_log(out, f"logs/{row.name}/{number:02d}-{_slug(step.name)}.log", step)
        verdict: Any = "ran" if step.ran else "cached"
        steps.append(
            StepRow(
                name=step.name,
                verdict=verdict,
                key=step.key,
                start=None if step.begun is None else round(max(0.0, step.begun - began), 3),
                seconds=round(step.seconds, 3),
                exit_code=step.exit_code,
                log=log,
            )
        )
    verdict = "unknown" if not steps else "ran" if any(s.verdict == "ran" for s in steps) else "cached"
    return row.model_copy(update={"steps": steps, "verdict": verdict})


def _write_log(out: Path, path: str, step: _Step) -> str:
    """Where the step's output is; empty when there was none."""
    if not step.log:
        return ""
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    (out / path).write_text("".join(step.log))
    return path


def _slug(name: str) -> str:
    return _UNSAFE.sub("-", name).strip("-").lower()[:40] or "step"
