"""Lets the tools' environment (the first argument) see the packages of the Python that runs this, behind its own."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in Path(sys.argv[1]).glob("lib/python*/site-packages"):
    places = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (folder / "project-packages.pth").write_text("\n".join(places) + "\n")
