"""Load Python modules that others wrote, from checkouts that are given, and list their functions.

python tools/public_modules.py FOLDER...     every folder below that has a dagger.json of a Python module

Prints a line for each: its folder, commit and how many functions it has, or why it doesn't load. Exits with 1 if fewer
than five load. Nothing of them is kept here; docs/modules.md names those that were tried.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

WANTED = 5
SECONDS = 600


def modules(folder: Path) -> list[Path]:
    """The folders of Python modules below a folder."""
    found = []
    for config in sorted(folder.rglob("dagger.json")):
        said = json.loads(config.read_text(encoding="utf-8"))
        sdk = said.get("sdk")
        source = sdk.get("source", "") if isinstance(sdk, dict) else sdk or ""
        if source.partition("@")[0] == "python":
            found.append(config.parent)
    return found


def commit(folder: Path) -> str:
    done = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()[:12] or "no commit"


def load(folder: Path) -> tuple[bool, str]:
    """Whether a module loads, and its number of functions or its error's last line."""
    command = [str(Path(sys.executable).with_name("sealane")), "--silent", "functions"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False, f"not done after {SECONDS} s"
    lines = [line for line in (done.stdout if done.returncode == 0 else done.stderr).splitlines() if line.strip()]
    if done.returncode:
        return False, lines[-1] if lines else f"exit code {done.returncode}"
    return True, f"{sum(not line.startswith(('Name ', 'Skipped ')) for line in lines)} functions"


def main(folders: list[str]) -> int:
    every = [each for folder in folders for each in modules(Path(folder))]
    loaded = 0
    for each in every:
        fine, said = load(each)
        loaded += fine
        sys.stdout.write(f"{'loads' if fine else 'fails'}  {each}  {commit(each)}  {said}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{loaded} of {len(every)} load\n")
    return 0 if loaded >= WANTED else 1


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
