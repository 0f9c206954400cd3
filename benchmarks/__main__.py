"""The table of design targets: what each kind of work takes here, beside what it must not exceed.

    nox -s bench                                   or: python benchmarks [--only steps] [--rounds 3]
    python benchmarks --against ../before/src      the same work on two engines in turn, and the ratio of the two

Needs root, or what a rootless engine needs. A figure is the smallest of its runs: what the work costs when nothing else
disturbs it. Machines and days differ, so judge a change by the ratio in one run, never by two runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
GROUPS = ("start", "session", "files", "functions", "registry", "cache")
TARGETS = {
    "engine, from nothing to its first answer": 0.25,
    "one step": 0.015,
    "50 steps in a chain": 0.75,
    "the same chain, from the store": 0.015,
    "the same chain, in another session": 0.05,
    "20 steps side by side": 0.2,
    "host directory of 10,000 files, one changed": 0.15,
    "export of 10,000 files": 0.35,
    "a service started, healthy, called": 0.12,
    "200 MB written in a step": 0.6,
    "module function, unchanged": 0.25,
    "module function, new argument": 0.8,
    "module function, after an edit": 1.2,
    "push to a registry, to skopeo's": 1.5,
    "pull of blobs, to skopeo's": 1.5,
    "pull and unpack, to skopeo's and umoci's": 1.5,
    "results exported, 100 MB": 6.0,
    "the same, nothing changed": 0.1,
    "results imported, 100 MB": 4.0,
    "engine memory after 1,000 steps (MB)": 150.0,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--home", type=Path, default=Path("/var/lib/sealane-bench"), help="the store to use")
    parser.add_argument("--only", choices=GROUPS, action="append", help="these rows alone")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--against", type=Path, help="a second source folder, to compare with")
    options = parser.parse_args()
    sources = [HERE.parent / "src", *([options.against] if options.against else [])]
    best: dict[str, list[float]] = {}
    for number in range(options.rounds):
        for group in options.only or GROUPS:
            # the second goes first every other time: whoever comes later finds warmer caches
            for index in list(range(len(sources)))[:: 1 if number % 2 else -1]:
                home = options.home.with_name(f"{options.home.name}-{index}")
                for name, value in run(group, sources[index], home).items():
                    row = best.setdefault(name, [float("inf")] * len(sources))
                    row[index] = min(row[index], value)
    print(f"{'':46} {'here':>9} {'target':>9}" + (f" {'against':>9} {'ratio':>6}" if options.against else ""))
    for name, values in best.items():
        target = TARGETS.get(name)
        line = f"{name:46} {values[0]:9.3f} " + (f"{target:9.3f}" if target else f"{'':9}")
        if options.against:
            line += f" {values[1]:9.3f} {values[0] / values[1]:6.2f}"
        print(line + ("  *" if target and values[0] > target else ""))
    print("* above its target")
    return 0


def run(group: str, source: Path, home: Path) -> dict[str, float]:
    """The rows of one group, as its script prints them: a name, a tab, a number."""
    environ = {**os.environ, "PYTHONPATH": str(source.resolve()), "SEALANE_HOME": str(home)}
    command = [sys.executable, str(HERE / f"{group}.py")]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"benchmarks: {' '.join(command)} ended with {done.returncode}")
    rows = (line.partition("\t") for line in done.stdout.splitlines() if "\t" in line)
    return {name: float(value) for name, _, value in rows}


if __name__ == "__main__":
    sys.exit(main())
