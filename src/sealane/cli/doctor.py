"""`sealane doctor`: what this machine offers a sandbox, what is missing, and what to do about it.

First the host's own primitives; when they are there, one command of each tool from inside a sandbox of a real engine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from sealane.cli.engine import check_machine, home, open_session
from sealane.cli.options import Options, strip
from sealane.cli.progress import open_progress
from sealane.errors import SealaneError

if TYPE_CHECKING:
    from sealane.cli.wire import Session
    from sealane_engine.doctor import Probe, ToolProbe


def run(options: Options, words: list[str]) -> int:
    options, words = strip(options, words)
    parser = argparse.ArgumentParser("sealane doctor", description="Show what this machine offers a sandbox.")
    parser.add_argument("-j", "--json", action="store_true", help="present the probes as JSON")
    parser.add_argument("--quick", action="store_true", help="look at the host only: start no engine, build no image")
    arguments = parser.parse_args(words)
    check_machine()
    from sealane_engine import doctor

    probes = asyncio.run(doctor.probe(home(options.environ)))
    able = all(probe.ok or probe.optional for probe in probes)
    if able and not arguments.quick:
        probes += _in_sandboxes(options, doctor.TOOLS)
    _show(probes, as_json=arguments.json)
    return 0 if all(probe.ok or probe.optional for probe in probes) else 1


def _in_sandboxes(options: Options, tools: tuple[ToolProbe, ...]) -> list[Probe]:
    """Run each tool's command in a step of an engine; none of them is answered from the cache."""
    from sealane_engine.doctor import Probe

    quiet = not (sys.stderr.isatty() or options.verbose)
    progress = open_progress(replace(options, silent=True) if quiet else options)
    try:
        with open_session(options, progress) as opened, ThreadPoolExecutor(len(tools)) as pool:
            return list(pool.map(lambda tool: _try(opened.session, tool), tools))
    except SealaneError as error:
        return [Probe("engine", ok=False, detail=error.message, remedy=error.hint)]
    finally:
        progress.close()


def _try(session: Session, tool: ToolProbe) -> Probe:
    from sealane.cli.wire import literal
    from sealane_engine.doctor import Probe

    step = f"withExec(args:{literal(list(tool.args))},expect:ANY)"
    now = f"withEnvVariable(name:{literal('SEALANE_PROBE')},value:{literal(str(time.time_ns()))})"
    document = (
        f"query{{container{{from(address:{literal(tool.image)}){{{now}{{{step}{{exitCode combinedOutput}}}}}}}}}}"
    )
    try:
        answer = session.query(document)["container"]["from"]["withEnvVariable"]["withExec"]
    except SealaneError as error:
        return Probe(tool.name, ok=False, detail=f"in {tool.image}: {error.message}", remedy=error.hint or tool.remedy)
    if answer["exitCode"] == 0:
        return Probe(tool.name, ok=True, detail=f"works in {tool.image}")
    said = [line for line in answer["combinedOutput"].splitlines() if line.strip()][-1:] or ["no output"]
    detail = f"in {tool.image}: exit code {answer['exitCode']}: {said[0].strip()}"
    return Probe(tool.name, ok=False, detail=detail, remedy=tool.remedy)


def _show(probes: list[Probe], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"name": p.name, "ok": p.ok, "optional": p.optional, "detail": p.detail, "remedy": p.remedy} for p in probes
        ]
        print(json.dumps(rows, indent=4, ensure_ascii=False))
        return
    width = max(len(probe.name) for probe in probes)
    for probe in probes:
        mark = "✔" if probe.ok else "○" if probe.optional else "✘"
        print(f"{mark} {probe.name:<{width}}  {probe.detail}")
        if not probe.ok and probe.remedy:
            print(f"  {'':<{width}}  → {probe.remedy}")
    missing = sum(not (probe.ok or probe.optional) for probe in probes)
    print(f"{missing} missing" if missing else "everything that is needed is there", file=sys.stderr)
