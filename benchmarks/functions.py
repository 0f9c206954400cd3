"""What a Python module's function costs through `sealane call`: unchanged, with a new argument, after an edit."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engines import row, stamp

MODULE = Path(__file__).parent.parent / "tests/e2e/modules/greeter"
RUNS = 4


def call(module: Path, name: str) -> float:
    command = [sys.executable, "-P", "-m", "sealane", "call", "-s", "-m", str(module), "hello", "--name", name]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert name in done.stdout, done.stdout
    return time.perf_counter() - started


def edited(module: Path) -> float:
    with (module / "src/greeter/main.py").open("a") as file:
        file.write(f"\n# {stamp()}\n")
    return call(module, "Ada")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sealane-module-", dir="/var/tmp") as scratch:
        module = shutil.copytree(MODULE, Path(scratch, "greeter"))
        call(module, "Ada")
        row("module function, unchanged", min(call(module, "Ada") for _ in range(RUNS)))
        row("module function, new argument", min(call(module, f"Ada {stamp()}") for _ in range(RUNS)))
        row("module function, after an edit", min(edited(module) for _ in range(RUNS)))


if __name__ == "__main__":
    main()
