"""Takes the pictures of a report that the docs show, light and dark: `python tools/screenshot.py out/report.html docs/report`.

The report is that of a real run: a copy of the sample with a few defects, through `sealane call pipeline -o out`.
"""

from __future__ import annotations

import base64
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

BROWSER = Path(__file__).parent.parent / "tests" / "e2e" / "browser.py"
SIZE = (900, 2400)  # pixels: down to the findings


def browser() -> Any:
    """The class that drives the tests' Chromium."""
    spec = importlib.util.spec_from_file_location("browser", BROWSER)
    if spec is None or spec.loader is None:
        sys.exit(f"{BROWSER} can't be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Browser


def main(report: Path, name: Path) -> None:
    """Write `<name>.png` and `<name>-dark.png`."""
    command = shutil.which("chromium")
    if command is None:
        sys.exit("chromium is not here: ci/test installs it")
    width, height = SIZE
    with tempfile.TemporaryDirectory() as profile, browser()(command, Path(profile)) as shown:
        for scheme, end in (("light", ""), ("dark", "-dark")):
            shown.open(report.resolve(), width=width, height=height, scheme=scheme)
            taken = shown.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)
            name.with_name(f"{name.name}{end}.png").write_bytes(base64.b64decode(taken["data"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
