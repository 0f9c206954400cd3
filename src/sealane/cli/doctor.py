"""`sealane doctor`: what this machine offers a sandbox, what is missing, and what to do about it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from sealane.cli.engine import check_machine, home
from sealane.cli.options import Options, strip


def run(options: Options, words: list[str]) -> int:
    options, words = strip(options, words)
    parser = argparse.ArgumentParser("sealane doctor", description="Show what this machine offers a sandbox.")
    parser.add_argument("-j", "--json", action="store_true", help="present the probes as JSON")
    arguments = parser.parse_args(words)
    check_machine()
    from sealane_engine import doctor

    where: Path = home(options.environ)
    probes = asyncio.run(doctor.probe(where))
    if arguments.json:
        rows = [{"name": p.name, "ok": p.ok, "detail": p.detail, "remedy": p.remedy} for p in probes]
        print(json.dumps(rows, indent=4, ensure_ascii=False))
    else:
        width = max([4, *(len(probe.name) for probe in probes)])
        for probe in probes:
            print(f"{'✔' if probe.ok else '✘'} {probe.name:<{width}}  {probe.detail}")
            if not probe.ok and probe.remedy:
                print(f"  {'':<{width}}  → {probe.remedy}")
        missing = sum(not probe.ok for probe in probes)
        print(f"{missing} missing" if missing else "everything is there", file=sys.stderr)
    return 1 if any(not probe.ok for probe in probes) else 0
