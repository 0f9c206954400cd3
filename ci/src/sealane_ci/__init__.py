"""Sealane: a whole pipeline for a Python service. Lint, test with real databases, scan, build the image, list its parts.

`pipeline` runs all of it and fails when a gate fails; `report` gives everything it found as a directory, pass or fail.
Each stage can be run alone (`lint`, `test`, `scan`, `build`, `sbom`) and is a check too (`check-lint`, …).
"""

import sys
from pathlib import Path

# The pipeline is a package of this repository, not an installed one: an engine mounts both side by side.
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src"))

from sealane_ci.build import Build as Build
from sealane_ci.main import Sealane as Sealane
from sealane_ci.main import StageRun as StageRun
